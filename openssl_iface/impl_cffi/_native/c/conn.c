/* A connection: its life, and one operation of libssl. */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>

#ifndef SSL_OP_IGNORE_UNEXPECTED_EOF
#define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#endif

/* ---- life ----------------------------------------------------------------- */

oi_work *oi_work_new(void)
{
  oi_work *work = calloc(1, sizeof *work);

  if (!work)
    return NULL;
  work->plain = malloc(OI_EVENT_SIZE);
  work->received = malloc(OI_EVENT_SIZE);
  work->out = malloc(OI_OUT_ROOM);
  if (work->plain && work->received && work->out)
    return work;
  oi_work_free(work);
  return NULL;
}

/* Of the connection that had it before, nothing may be told to the next one. */
void oi_work_clear(oi_work *work)
{
  work->ssl_error = SSL_ERROR_NONE;
  work->sys_errno = 0;
  work->errors.count = 0;
}

void oi_work_free(oi_work *work)
{
  if (work) {
    free(work->plain);
    free(work->received);
    free(work->out);
    free(work);
  }
}

oi_conn *oi_conn_new(SSL_CTX *context, int fd)
{
  oi_conn *c = calloc(1, sizeof *c);
  BIO *bio = NULL;

  ERR_clear_error();
  if (!c)
    return NULL;
  c->fd = fd;
  c->verify_depth = -1;
  if (!oi_lock_init(c)) {
    free(c);
    return NULL;
  }
  c->ssl = SSL_new(context);
  if (c->ssl)
    bio = oi_bio_new(c);
  if (!bio || !SSL_set_ex_data(c->ssl, oi_conn_index, c)) {
    BIO_free(bio);
    SSL_free(c->ssl);
    oi_lock_free(c);
    free(c);
    return NULL;
  }
  SSL_set_bio(c->ssl, bio, bio);
  c->datagrams = SSL_is_dtls(c->ssl);
  c->unsaid = OI_NOTHING;
  c->wants = OI_WANT_PROCEED;
  c->calm = 1;
  SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                           (c->datagrams ? SSL_MODE_RELEASE_BUFFERS : 0)); /* warm.c */
  return c;
}

/* One that is as its context is now, and trusts whom `store` has.  `side`: 1 the server's, 0 the client's,
 * -1 nobody has said. */
oi_conn *oi_conn_open(SSL_CTX *context, int fd, int side, X509_STORE *store)
{
  oi_conn *c = oi_conn_new(context, fd);

  if (c) {
    oi_follow(c, context, store);
    if (side > 0)
      SSL_set_accept_state(c->ssl);
    else if (!side)
      SSL_set_connect_state(c->ssl);
  }
  return c;
}

void oi_conn_free(oi_conn *c)
{
  /* What a parent made is left alone in its child (_handles.py). */
  if (!c || oi_inherited(c))
    return;
  oi_warm_forget(c);
  /* OpenSSL takes a connection that is freed without a shutdown for a failed
   * one, and drops its session. */
  if (c->handshake_done && !(c->dead && c->ended == OI_OPEN))
    SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  /* Somebody else may hold a reference to the SSL still. */
  SSL_set_ex_data(c->ssl, oi_conn_index, NULL);
  if (SSL_get_rbio(c->ssl))
    BIO_set_data(SSL_get_rbio(c->ssl), NULL);
  SSL_free(c->ssl);
  X509_free(c->verify_cert);
  free(c->host);
  free(c->unsaid_data);
  oi_drop_buffers(c);
  oi_lock_free(c);
  free(c);
}

/* The descriptor is about to be closed: its number may be another's soon. */
void oi_detach(oi_conn *c)
{
  c->fd = -1;
  c->dead = c->detached = 1;
  c->wants = 0;
  if (c->ended == OI_OPEN)
    c->ended = OI_ABORTED;
  c->out_pos = c->out_len;
  if (!c->busy)
    oi_out_release(c);
}

/* ---- operations ----------------------------------------------------------- */

static int suspension(int ssl_error)
{
  switch (ssl_error) {
  case SSL_ERROR_WANT_X509_LOOKUP:
    return OI_WANT_CERTIFICATE;
  case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    return OI_WANT_CLIENT_HELLO;
#ifdef SSL_ERROR_WANT_RETRY_VERIFY
  case SSL_ERROR_WANT_RETRY_VERIFY:
    return OI_WANT_VERIFICATION;
#endif
  default:
    return 0;
  }
}

/* Do one thing with libssl and say how it went: SSL_ERROR_NONE and *done, or
 * another SSL_ERROR_, with the errors in the workspace. */
int oi_perform(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int result;

  *done = 0;
  c->suspended = 0;
  work->errors.count = 0;
  work->sys_errno = 0;
  if (ERR_peek_error()) /* which is rare, and clearing costs more than asking */
    ERR_clear_error();
  errno = 0;
  switch (what) {
  case OI_HANDSHAKE:
    result = SSL_do_handshake(c->ssl);
    break;
  case OI_READ:
    result = SSL_read_ex(c->ssl, data, size, done);
    break;
  case OI_PEEK:
    result = SSL_peek_ex(c->ssl, data, size, done);
    break;
  case OI_WRITE:
    result = SSL_write_ex(c->ssl, data, size, done);
    break;
  case OI_SHUTDOWN:
    result = SSL_shutdown(c->ssl);
    if (result >= 0) {
      c->close_sent = 1;
      *done = (size_t)result;
      result = 1;
    }
    break;
  case OI_RENEGOTIATE:
    result = SSL_renegotiate(c->ssl);
    break;
  case OI_KEY_UPDATE:
    result = SSL_key_update(c->ssl, (int)size);
    break;
  default:
    result = SSL_verify_client_post_handshake(c->ssl);
    break;
  }
  if (result == 1) {
    work->ssl_error = SSL_ERROR_NONE;
  } else {
    work->ssl_error = SSL_get_error(c->ssl, result);
    work->sys_errno = errno;
    c->suspended = suspension(work->ssl_error);
    oi_drain_errors(&work->errors);
  }
  if (!c->handshake_done && c->callback_failed) {
    /* A refusal, also from a callback that libssl does not ask: then there is no
     * alert, and the peer must not be told that all is well. */
    c->dead = 1;
    if (work->ssl_error != SSL_ERROR_SSL)
      c->out_pos = c->out_len;
  } else if (!c->handshake_done && SSL_is_init_finished(c->ssl)) {
    c->handshake_done = 1;
    if (!(SSL_session_reused(c->ssl) ? oi_check_resumed(c) : oi_check_named(c))) {
      work->ssl_error = SSL_ERROR_SSL;
      c->dead = c->refused_late = 1;
      c->out_pos = c->out_len; /* our Finished, which would say that all is well */
    }
  }
  return work->ssl_error;
}

/* Was something asked for that cannot be done now?  libssl has refused it, and the
 * connection is as it was. */
static int misused(oi_work *work)
{
  unsigned long code = work->errors.item[0].code;

  if (work->errors.count != 1 || ERR_GET_LIB(code) != ERR_LIB_SSL)
    return 0;
  switch (ERR_GET_REASON(code)) {
  case SSL_R_CONNECTION_TYPE_NOT_SET: /* nobody has said which side this is */
  case SSL_R_UNINITIALIZED:
  case SSL_R_PROTOCOL_IS_SHUTDOWN:
  case SSL_R_SHUTDOWN_WHILE_IN_INIT:
  case SSL_R_APPLICATION_DATA_AFTER_CLOSE_NOTIFY:
  case SSL_R_DTLS_MESSAGE_TOO_BIG:
    return 1;
  default:
    return 0;
  }
}

/* Take in what an operation that did not succeed means for the connection. */
void oi_settle(oi_conn *c, oi_work *work, int ssl_error)
{
  switch (ssl_error) {
  case SSL_ERROR_NONE:
    break;
  case SSL_ERROR_WANT_READ:
    if (c->eof && c->ended == OI_OPEN) {
      if (SSL_get_options(c->ssl) & SSL_OP_IGNORE_UNEXPECTED_EOF && c->handshake_done)
        c->ended = OI_CLEAN;
      else
        c->ended = OI_TRUNCATED;
    }
    if (c->eof && (c->sys_errno || !c->handshake_done))
      c->dead = 1;
    break;
  case SSL_ERROR_WANT_WRITE:
    break;
  case SSL_ERROR_ZERO_RETURN:
    if (!c->handshake_done)
      c->dead = 1; /* nobody knows whose goodbye it was: that is no clean end */
    else if (c->ended == OI_OPEN || c->ended == OI_ABORTED)
      c->ended = OI_CLEAN;
    break;
  default:
    if (c->suspended)
      break;
    if (misused(work))
      c->failed = 1;
    else
      c->dead = 1;
  }
}

/* Is a handshake under way on a connection that has had one?  While it is,
 * SSL_write and SSL_do_handshake take application data that arrives for an error;
 * SSL_read does not.  A server that has asked for a handshake may go on until the
 * client begins it. */
int oi_renegotiating(oi_conn *c)
{
  return SSL_in_init(c->ssl) || (!SSL_is_server(c->ssl) && SSL_renegotiate_pending(c->ssl));
}

/* Has the peer said goodbye in the midst of a renegotiation?  It is never completed
 * then, and libssl can send nothing before it is, not even close_notify.  The peer
 * waits for none of it (RFC 5246, section 7.2.1: pending writes are discarded). */
int oi_stranded(oi_conn *c)
{
  return c->ended == OI_CLEAN && c->handshake_done && oi_renegotiating(c);
}
