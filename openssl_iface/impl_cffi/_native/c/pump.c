/* One C call per event.
 *
 * libssl talks to a BIO of our own, and the BIO to buffers.  An event brings a
 * block of ciphertext (received here, or handed in), lets libssl take all that
 * it can, collects the plaintext and the replies, and sends the replies, with
 * one system call each way and no buffer that outlives the event unless
 * something is left over in it.
 *
 *            block, in  ->  BIO  ->  SSL_read   ->  work->plain
 *       send <-    out  <-  BIO  <-  SSL_write  <-  data
 *
 * Invariants:
 *  - The error queue is cleared, the operation done and SSL_get_error asked in
 *    operate(), with nothing in between; what the queue holds then is copied to
 *    the workspace.  A destructor or a signal handler that runs on this thread
 *    later cannot turn one result into another.
 *  - The BIO never reports the end of the transport: libssl would answer it
 *    with an alert and a dead connection, differently in each version.  It says
 *    "retry", and settle() takes "wants to read" at the end of the transport for
 *    what it is.
 *  - In the event-loop face the BIO takes every write.  A record that libssl
 *    has made is never half written.
 *  - SSL_write is not called while a handshake is under way on an established
 *    connection: application data that arrives then would be an error, which
 *    it is not when SSL_read drives the handshake.
 *  - Plaintext that was decrypted before a failure is given first; the failure
 *    stays in the connection.
 *
 * The caller holds the connection's lock.  No system call here waits. */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SSL_OP_IGNORE_UNEXPECTED_EOF
#define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#endif

/* ---- buffers -------------------------------------------------------------- */

/* Make room for `more` bytes behind what `*buffer` holds; 0 if memory is short. */
static int reserve(unsigned char **buffer, size_t *pos, size_t *len, size_t *room, size_t more)
{
  unsigned char *grown;
  size_t size;

  if (*pos && *len + more > *room) {
    memmove(*buffer, *buffer + *pos, *len - *pos);
    *len -= *pos;
    *pos = 0;
  }
  if (*len + more <= *room)
    return 1;
  size = *room ? *room : 4096;
  while (size < *len + more)
    size *= 2;
  grown = realloc(*buffer, size);
  if (!grown)
    return 0;
  *buffer = grown;
  *room = size;
  return 1;
}

static void release(unsigned char **buffer, size_t *pos, size_t *len, size_t *room)
{
  free(*buffer);
  *buffer = NULL;
  *pos = *len = *room = 0;
}

static void out_release(oi_conn *c)
{
  if (c->out_lent) {
    c->out = NULL;
    c->out_pos = c->out_len = c->out_room = 0;
    c->out_lent = 0;
  } else {
    release(&c->out, &c->out_pos, &c->out_len, &c->out_room);
  }
}

/* Move what is in the workspace to memory of our own. */
static int out_keep(oi_conn *c, size_t more)
{
  unsigned char *kept;
  size_t size = c->out_len - c->out_pos;

  if (!c->out_lent)
    return 1;
  if (!size && !more) {
    out_release(c);
    return 1;
  }
  kept = malloc(size + more);
  if (!kept)
    return 0;
  memcpy(kept, c->out + c->out_pos, size);
  c->out = kept;
  c->out_pos = 0;
  c->out_len = size;
  c->out_room = size + more;
  c->out_lent = 0;
  return 1;
}

static int out_append(oi_conn *c, const void *data, size_t size)
{
  if (c->out_lent && c->out_len + size > c->out_room && !out_keep(c, size + 4096))
    return 0;
  if (!c->out_lent && !reserve(&c->out, &c->out_pos, &c->out_len, &c->out_room, size))
    return 0;
  memcpy(c->out + c->out_len, data, size);
  c->out_len += size;
  return 1;
}

static void out_lend(oi_conn *c, oi_work *work)
{
  if (!c->out) {
    c->out = work->out;
    c->out_room = OI_OUT_ROOM;
    c->out_lent = 1;
  }
}

int oi_put(oi_conn *c, const char *data, size_t size)
{
  if (!reserve(&c->in, &c->in_pos, &c->in_len, &c->in_room, size))
    return 0;
  memcpy(c->in + c->in_len, data, size);
  c->in_len += size;
  return 1;
}

size_t oi_take(oi_conn *c, char *data, size_t size)
{
  size_t left = c->out_len - c->out_pos;

  if (size > left)
    size = left;
  if (size)
    memcpy(data, c->out + c->out_pos, size);
  c->out_pos += size;
  if (c->out_pos == c->out_len)
    out_release(c);
  return size;
}

size_t oi_buffered_in(oi_conn *c)
{
  return c->in_len - c->in_pos;
}

size_t oi_buffered_out(oi_conn *c)
{
  return c->out_len - c->out_pos;
}

/* ---- the descriptor ------------------------------------------------------- */

static int ready(int fd, short events)
{
  struct pollfd one = {fd, events, 0};
  return poll(&one, 1, 0) > 0;
}

/* A descriptor that is no socket (a pipe, a terminal) cannot be told not to
 * wait, so it is asked first; PIPE_BUF bytes then never block. */
static ssize_t receive(oi_conn *c, void *data, size_t size)
{
  ssize_t got;

  do {
    if (!c->not_socket) {
      got = recv(c->fd, data, size, MSG_DONTWAIT);
      if (got < 0 && errno == ENOTSOCK) {
        c->not_socket = 1;
        continue;
      }
    } else if (ready(c->fd, POLLIN)) {
      got = read(c->fd, data, size);
    } else {
      errno = EAGAIN;
      got = -1;
    }
    if (got >= 0 || errno != EINTR)
      return got;
  } while (1);
}

static ssize_t transmit(oi_conn *c, const void *data, size_t size)
{
  ssize_t sent;

  do {
    if (!c->not_socket) {
      sent = send(c->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == ENOTSOCK) {
        c->not_socket = 1;
        continue;
      }
    } else if (ready(c->fd, POLLOUT)) {
      sent = write(c->fd, data, size < 4096 ? size : 4096);
    } else {
      errno = EAGAIN;
      sent = -1;
    }
    if (sent >= 0 || errno != EINTR)
      return sent;
  } while (1);
}

static int again(int number)
{
  return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS;
}

static void transport_failed(oi_conn *c, int number)
{
  c->sys_errno = number;
  if (c->ended == OI_OPEN)
    c->ended = OI_ABORTED;
}

/* Send what there is; 1 if all of it has left. */
static int flush(oi_conn *c)
{
  while (c->fd >= 0 && c->out_pos < c->out_len) {
    ssize_t sent = transmit(c, c->out + c->out_pos, c->out_len - c->out_pos);
    if (sent < 0) {
      if (again(errno))
        return 0;
      /* What the peer has sent may still be there, an alert above all: the
       * failure is reported when that has been read. */
      if (!c->sys_errno)
        transport_failed(c, errno);
      c->out_pos = c->out_len;
      break;
    }
    c->out_pos += (size_t)sent;
  }
  if (c->out_pos < c->out_len)
    return 0;
  out_release(c);
  return 1;
}

/* ---- the BIO -------------------------------------------------------------- */

static BIO_METHOD *method;

static int bio_read(BIO *bio, char *data, int size)
{
  oi_conn *c = BIO_get_data(bio);
  size_t n = 0, left;

  BIO_clear_retry_flags(bio);
  if (!c || size <= 0)
    return 0;
  left = c->in_len - c->in_pos;
  if (left) {
    n = left < (size_t)size ? left : (size_t)size;
    memcpy(data, c->in + c->in_pos, n);
    c->in_pos += n;
    if (c->in_pos == c->in_len)
      release(&c->in, &c->in_pos, &c->in_len, &c->in_room);
  } else if (c->block_len) {
    n = c->block_len < (size_t)size ? c->block_len : (size_t)size;
    memcpy(data, c->block, n);
    c->block += n;
    c->block_len -= n;
  } else if (c->direct && c->fd >= 0 && !c->eof && !c->sys_errno) {
    ssize_t got = receive(c, data, (size_t)size);
    if (got > 0)
      n = (size_t)got;
    else if (got == 0)
      c->eof = 1;
    else if (!again(errno)) {
      transport_failed(c, errno);
      c->eof = 1;
    }
  }
  if (n)
    return (int)n;
  BIO_set_retry_read(bio);
  return -1;
}

static int bio_write(BIO *bio, const char *data, int size)
{
  oi_conn *c = BIO_get_data(bio);

  BIO_clear_retry_flags(bio);
  if (!c || size <= 0)
    return 0;
  if (c->direct && c->fd >= 0) {
    ssize_t sent;
    if (c->sys_errno)
      return -1;
    if (!flush(c)) {
      BIO_set_retry_write(bio);
      return -1;
    }
    sent = transmit(c, data, (size_t)size);
    if (sent > 0)
      return (int)sent;
    if (sent < 0 && !again(errno)) {
      transport_failed(c, errno);
      return -1;
    }
    BIO_set_retry_write(bio);
    return -1;
  }
  if (c->sys_errno)
    return size; /* it can go nowhere; what has come is still worth reading */
  return out_append(c, data, (size_t)size) ? size : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
  oi_conn *c = BIO_get_data(bio);

  (void)pointer;
  switch (command) {
  case BIO_CTRL_FLUSH:
  case BIO_CTRL_DUP:
    return 1;
  case BIO_CTRL_PENDING:
    return c ? (long)(oi_buffered_in(c) + c->block_len) : 0;
  case BIO_CTRL_WPENDING:
    return c ? (long)oi_buffered_out(c) : 0;
  case BIO_CTRL_GET_CLOSE:
    return BIO_get_shutdown(bio);
  case BIO_CTRL_SET_CLOSE:
    BIO_set_shutdown(bio, (int)number);
    return 1;
  default:
    return 0;
  }
}

static int bio_create(BIO *bio)
{
  BIO_set_init(bio, 1);
  return 1;
}

/* Once in a process; 0 if memory is short. */
int oi_setup(void)
{
  int type;

  if (method)
    return 1;
  type = BIO_get_new_index();
  if (type == -1)
    return 0;
  method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "openssl_iface");
  oi_conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  return method && oi_conn_index >= 0 && BIO_meth_set_read(method, bio_read) &&
         BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl) &&
         BIO_meth_set_create(method, bio_create);
}

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

void oi_work_free(oi_work *work)
{
  if (work) {
    free(work->plain);
    free(work->received);
    free(work->out);
    free(work);
  }
}

oi_conn *oi_conn_new(SSL_CTX *context, void *handle, int fd)
{
  oi_conn *c = calloc(1, sizeof *c);
  BIO *bio = NULL;

  ERR_clear_error();
  if (!c)
    return NULL;
  c->fd = fd;
  c->handle = handle;
  c->verify_depth = -1;
  c->ssl = SSL_new(context);
  if (c->ssl)
    bio = BIO_new(method);
  if (!bio || !SSL_set_ex_data(c->ssl, oi_conn_index, c)) {
    BIO_free(bio);
    SSL_free(c->ssl);
    free(c);
    return NULL;
  }
  BIO_set_data(bio, c);
  SSL_set_bio(c->ssl, bio, bio);
  SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                           SSL_MODE_RELEASE_BUFFERS);
  return c;
}

void oi_conn_free(oi_conn *c)
{
  if (!c)
    return;
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
  release(&c->in, &c->in_pos, &c->in_len, &c->in_room);
  out_release(c);
  free(c);
}

/* The descriptor is about to be closed: its number may be another's soon. */
void oi_detach(oi_conn *c)
{
  c->fd = -1;
  c->dead = 1;
  if (c->ended == OI_OPEN)
    c->ended = OI_ABORTED;
  out_release(c);
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
static int operate(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int result;

  *done = 0;
  c->suspended = 0;
  work->errors.count = 0;
  work->sys_errno = 0;
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
  default:
    result = SSL_key_update(c->ssl, (int)size);
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
    if (work->ssl_error != SSL_ERROR_SSL && !c->direct)
      c->out_pos = c->out_len;
  } else if (!c->handshake_done && SSL_is_init_finished(c->ssl)) {
    c->handshake_done = 1;
    if (SSL_session_reused(c->ssl) && !oi_check_resumed(c)) {
      work->ssl_error = SSL_ERROR_SSL;
      c->dead = 1;
    }
  }
  return work->ssl_error;
}

/* Take in what an operation that did not succeed means for the connection. */
static void settle(oi_conn *c, oi_work *work, int ssl_error)
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
    if (c->ended == OI_OPEN || c->ended == OI_ABORTED)
      c->ended = OI_CLEAN;
    break;
  default:
    if (c->suspended)
      break;
    /* Nobody has said yet which side this is: nothing is lost. */
    if (work->errors.count == 1 && SSL_in_before(c->ssl) &&
        ERR_GET_REASON(work->errors.item[0].code) == SSL_R_CONNECTION_TYPE_NOT_SET)
      c->failed = 1;
    else
      c->dead = 1;
  }
}

static int renegotiating(oi_conn *c)
{
  return SSL_in_init(c->ssl) || SSL_renegotiate_pending(c->ssl);
}

/* Is there anything that an event should be reported for? */
static int noteworthy(oi_conn *c, int was_done, int was_ended)
{
  return c->dead || c->failed || c->callback_failed || c->handshake_done != was_done || c->ended != was_ended;
}

static int64_t finish(oi_conn *c, size_t n, int wants, int news)
{
  if (c->out_pos < c->out_len) {
    if (flush(c)) {
      news |= c->sys_errno != 0;
    } else {
      wants |= OI_WANT_WRITE;
      if (!out_keep(c, 0)) {
        /* No memory to keep it in: what was promised cannot be held. */
        c->dead = 1;
        transport_failed(c, ENOMEM);
        out_release(c);
        news = 1;
      }
    }
  } else {
    out_release(c);
  }
  if (c->suspended)
    wants |= c->suspended;
  else if (!c->dead && c->ended == OI_OPEN && oi_buffered_out(c) <= OI_OUT_LIMIT)
    wants |= OI_WANT_READ;
  if (c->sys_errno && !c->dead)
    wants |= OI_WANT_PROCEED; /* read what has come, then fail */
  if (c->dead)
    wants &= OI_WANT_WRITE;
  if (news)
    wants |= OI_NEWS;
  return (int64_t)n | (int64_t)wants << 32;
}

/* Let libssl take what has come; give plaintext. */
static int64_t pump(oi_conn *c, oi_work *work)
{
  size_t n = 0, got;
  int was_done = c->handshake_done, was_ended = c->ended, wants = 0, error = SSL_ERROR_NONE;

  c->direct = 0;
  c->callback_failed = c->failed = 0;
  out_lend(c, work);
  if (!c->dead && !c->handshake_done) {
    error = operate(c, work, OI_HANDSHAKE, NULL, 0, &got);
    settle(c, work, error);
  }
  if (!c->dead && c->handshake_done && !c->callback_failed && c->ended != OI_CLEAN) {
    while (n < OI_EVENT_SIZE) {
      error = operate(c, work, OI_READ, work->plain + n, OI_EVENT_SIZE - n, &got);
      if (error == SSL_ERROR_NONE)
        n += got;
      if (error != SSL_ERROR_NONE || c->callback_failed)
        break;
    }
    if (n == OI_EVENT_SIZE || c->callback_failed)
      wants |= OI_WANT_PROCEED;
    settle(c, work, error);
  }
  if (c->sys_errno && c->ended == OI_CLEAN)
    c->dead = 1; /* nothing more can come, and nothing can go */
  if (c->block_len) {
    if (c->dead || c->ended == OI_CLEAN) {
      c->block_len = 0; /* nothing after the end is of interest */
    } else if (!oi_put(c, (const char *)c->block, c->block_len)) {
      c->dead = 1;
      transport_failed(c, ENOMEM);
    }
    c->block_len = 0;
  }
  return finish(c, n, wants, noteworthy(c, was_done, was_ended));
}

int64_t oi_event_read(oi_conn *c, oi_work *work)
{
  ssize_t got;

  if (!c->eof && !c->dead) {
    got = receive(c, work->received, OI_EVENT_SIZE);
    if (got > 0) {
      c->block = work->received;
      c->block_len = (size_t)got;
    } else if (got == 0 || c->sys_errno) {
      c->eof = 1;
    } else if (!again(errno)) {
      transport_failed(c, errno);
      c->eof = 1;
    }
  }
  return pump(c, work);
}

int64_t oi_event_feed(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  if (size) {
    c->block = (const unsigned char *)data;
    c->block_len = size;
  } else {
    c->eof = 1;
  }
  return pump(c, work);
}

int64_t oi_event_proceed(oi_conn *c, oi_work *work)
{
  /* The transport failed while sending: look at what the peer has left. */
  if (c->sys_errno && c->fd >= 0)
    return oi_event_read(c, work);
  return pump(c, work);
}

/* The low half of the result: how much of the data was taken. */
int64_t oi_event_write(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  size_t taken = 0, done;
  int was_done = c->handshake_done, was_ended = c->ended, error;

  c->direct = 0;
  c->callback_failed = c->failed = 0;
  out_lend(c, work);
  while (taken < size && !c->dead && !c->sys_errno && c->handshake_done && !renegotiating(c)) {
    if (oi_buffered_out(c) >= OI_EVENT_SIZE) {
      if (c->fd < 0 || !flush(c))
        break;
      out_lend(c, work);
      continue;
    }
    error = operate(c, work, OI_WRITE, (char *)data + taken,
                    size - taken < SSL3_RT_MAX_PLAIN_LENGTH ? size - taken : SSL3_RT_MAX_PLAIN_LENGTH,
                    &done);
    if (error != SSL_ERROR_NONE) {
      settle(c, work, error);
      break;
    }
    taken += done;
  }
  return finish(c, taken, 0, noteworthy(c, was_done, was_ended));
}

int64_t oi_event_flush(oi_conn *c, oi_work *work)
{
  int was_ended = c->ended;

  (void)work;
  c->direct = 0;
  c->callback_failed = c->failed = 0;
  return finish(c, 0, 0, noteworthy(c, c->handshake_done, was_ended));
}

/* The low half of the result: whether close_notify has been written. */
int64_t oi_event_close(oi_conn *c, oi_work *work)
{
  size_t done;
  int was_ended = c->ended;

  c->direct = 0;
  c->callback_failed = c->failed = 0;
  if (!c->dead && !c->close_sent && c->handshake_done && !renegotiating(c)) {
    out_lend(c, work);
    /* What SSL_shutdown says beyond "written" is of no interest: reading goes
     * on, and it is SSL_read that hears of the peer's close_notify. */
    if (operate(c, work, OI_SHUTDOWN, NULL, 0, &done) != SSL_ERROR_NONE)
      c->close_sent = (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) != 0;
  }
  return finish(c, c->close_sent, 0, noteworthy(c, c->handshake_done, was_ended));
}

/* The manual's face: the low half of the result is what was done, the high half
 * the SSL_ERROR_.  0 is a success. */
int64_t oi_operate(oi_conn *c, oi_work *work, int what, char *data, size_t size)
{
  size_t done = 0;
  int error;

  c->direct = 1;
  c->callback_failed = c->failed = 0;
  if (c->fd >= 0 && c->out_pos < c->out_len)
    flush(c);
  error = operate(c, work, what, data, size, &done);
  if (what != OI_RENEGOTIATE && what != OI_KEY_UPDATE)
    settle(c, work, error);
  return (int64_t)done | (int64_t)error << 32;
}
