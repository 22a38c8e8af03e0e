/* The manual's face: one thing at a time, and said at once if the transport keeps up.
 *
 * libssl writes to the same buffer as in the event-loop face, and reads from the
 * descriptor no more than it asks for, so that select() speaks the truth.  What
 * libssl has done while the transport did not take all of its ciphertext is not
 * said (the caller hears WANT_WRITE) until the buffer has left, when the caller
 * asks for the same again.
 *
 * On an established connection a handshake is driven by SSL_read, which lets
 * application data pass; what comes while a send waits for it, or shutdown for the
 * peer's close_notify, is kept for recv.
 *
 * New keys, a renegotiation or a certificate may be asked for from the event-loop
 * face too.  There nothing is repeated by the caller: what is asked for is queued
 * behind what has not left yet, and said to be done. */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int want(oi_work *work, int error)
{
  oi_work_clear(work);
  work->ssl_error = error;
  return error;
}

/* 1 if everything has left, or never can. */
static int flushed(oi_conn *c)
{
  return c->fd < 0 || c->out_pos == c->out_len || oi_flush(c);
}

static int transport_is_gone(oi_conn *c, oi_work *work)
{
  want(work, SSL_ERROR_SYSCALL);
  work->sys_errno = c->sys_errno;
  return SSL_ERROR_SYSCALL;
}

/* Read what is there, for others than the caller. */
static int read_ahead(oi_conn *c, oi_work *work)
{
  size_t got;
  int error = oi_perform(c, work, OI_READ, work->plain, OI_EVENT_SIZE, &got);

  if (error == SSL_ERROR_NONE &&
      (oi_buffered_plain(c) > OI_KEPT_LIMIT || !oi_keep(c, work->plain, got))) {
    oi_transport_failed(c, ENOMEM);
    c->dead = 1;
    return transport_is_gone(c, work);
  }
  return error;
}

static int drive(oi_conn *c, oi_work *work)
{
  int error = SSL_ERROR_NONE;

  while (error == SSL_ERROR_NONE && !c->callback_failed && c->handshake_done && oi_renegotiating(c))
    error = read_ahead(c, work);
  /* SSL_read goes on to wait for data when the handshake is complete. */
  if (error == SSL_ERROR_WANT_READ && !oi_renegotiating(c) && !c->eof)
    return SSL_ERROR_NONE;
  return error;
}

/* Does this only ask for something that comes later? */
static int asks(int what)
{
  return what == OI_RENEGOTIATE || what == OI_KEY_UPDATE || what == OI_ASK_CERTIFICATE;
}

/* Wait for the peer's close_notify.  SSL_shutdown would take data that come before
 * it for an error. */
static int await_end(oi_conn *c, oi_work *work, size_t *done)
{
  int error = SSL_ERROR_NONE;

  while (error == SSL_ERROR_NONE && !c->callback_failed)
    error = read_ahead(c, work);
  if (error != SSL_ERROR_ZERO_RETURN)
    return error;
  oi_settle(c, work, error);
  *done = 1;
  return want(work, SSL_ERROR_NONE);
}

static int reading(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int error;

  *done = oi_kept(c, data, size, what == OI_PEEK);
  if (*done)
    return want(work, SSL_ERROR_NONE);
  error = oi_perform(c, work, what, data, size, done);
  if (error == SSL_ERROR_NONE && c->callback_failed && what == OI_READ) {
    oi_keep(c, data, *done); /* an exception goes first */
    *done = 0;
  }
  return error;
}

static int writing(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int error;

  error = drive(c, work);
  if (what == OI_SHUTDOWN && (error == SSL_ERROR_ZERO_RETURN || oi_stranded(c))) {
    oi_settle(c, work, SSL_ERROR_ZERO_RETURN);
    *done = c->close_sent = 1;
    return want(work, SSL_ERROR_NONE);
  }
  if (error == SSL_ERROR_WANT_READ && what == OI_RENEGOTIATE && !c->direct && !c->eof)
    return want(work, SSL_ERROR_NONE); /* it is under way already */
  if (error != SSL_ERROR_NONE || c->callback_failed)
    return error;
  if (what == OI_HANDSHAKE && c->handshake_done && !SSL_renegotiate_pending(c->ssl) && !SSL_in_init(c->ssl))
    return want(work, SSL_ERROR_NONE);
  if (what == OI_SHUTDOWN && c->close_sent)
    return await_end(c, work, done);
  error = oi_perform(c, work, what, data, size, done);
  if (error == SSL_ERROR_NONE && (what == OI_KEY_UPDATE || what == OI_ASK_CERTIFICATE))
    error = oi_perform(c, work, OI_HANDSHAKE, NULL, 0, done); /* write it */
  return error;
}

static int one(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int error = what == OI_READ || what == OI_PEEK ? reading(c, work, what, data, size, done)
                                                 : writing(c, work, what, data, size, done);

  if (!asks(what))
    oi_settle(c, work, error);
  return error;
}

/* What libssl has done and nobody was told: of data, a copy, by which the caller's repetition is known. */
static void keep_back(oi_conn *c, int what, const char *data, size_t done)
{
  c->unsaid = what;
  c->unsaid_done = done;
  free(c->unsaid_data);
  c->unsaid_data = what == OI_WRITE ? malloc(done) : NULL;
  if (c->unsaid_data)
    memcpy(c->unsaid_data, data, done);
}

/* 1 if the caller asks for that again; of data, the beginning may be. */
static int repeats(oi_conn *c, int what, const char *data, size_t size)
{
  if (c->unsaid != what)
    return 0;
  if (size > c->unsaid_done)
    size = c->unsaid_done;
  return what != OI_WRITE || !c->unsaid_data || !memcmp(c->unsaid_data, data, size);
}

static size_t tell(oi_conn *c, size_t size)
{
  size_t told = c->unsaid_done;

  if (c->unsaid == OI_WRITE && told > size)
    told = size; /* the caller has less to send than before: the rest is for later */
  c->unsaid_done -= told;
  if (c->unsaid != OI_WRITE || !c->unsaid_done) {
    c->unsaid = OI_NOTHING;
    free(c->unsaid_data);
    c->unsaid_data = NULL;
  } else if (c->unsaid_data) {
    memmove(c->unsaid_data, c->unsaid_data + told, c->unsaid_done);
  }
  return told;
}

/* Do one thing unless something stands before it, and send what comes of it. */
static int attempt(oi_conn *c, oi_work *work, int what, char *data, size_t size, size_t *done)
{
  int error, reads = what == OI_READ || what == OI_PEEK, sound = !c->sys_errno;

  *done = 0;
  if (!flushed(c) && !reads && c->direct)
    return want(work, SSL_ERROR_WANT_WRITE);
  if ((what == OI_WRITE || what == OI_SHUTDOWN) && c->sys_errno)
    return transport_is_gone(c, work);
  if (!reads && repeats(c, what, data, size)) {
    *done = tell(c, size);
    return want(work, SSL_ERROR_NONE);
  }
  if (!reads)
    c->unsaid = OI_NOTHING;
  error = one(c, work, what, data, size, done);
  if (!flushed(c)) {
    if (!reads && error == SSL_ERROR_NONE && c->direct) {
      keep_back(c, what, data, *done);
      *done = 0;
      return want(work, SSL_ERROR_WANT_WRITE);
    }
    if (error == SSL_ERROR_WANT_READ && c->unsaid == OI_NOTHING && !c->eof)
      return want(work, SSL_ERROR_WANT_WRITE);
  } else if (sound && c->sys_errno) {
    /* It failed just now.  The peer's last words may be there. */
    if (error == SSL_ERROR_WANT_READ)
      return one(c, work, what, data, size, done);
    if (error == SSL_ERROR_NONE && (what == OI_WRITE || what == OI_SHUTDOWN))
      return transport_is_gone(c, work);
  }
  return error;
}

/* The low half of the result is what was done, the high half the SSL_ERROR_. */
int64_t oi_operate(oi_conn *c, oi_work *work, int what, char *data, size_t size)
{
  size_t done;
  int error;

  if (c->busy)
    return (int64_t)OI_BUSY << 32;
  oi_work_clear(work);
  c->busy = 1;
  c->direct = c->direct || !c->handshake_done || !asks(what);
  c->callback_failed = c->failed = c->idle = 0;
  oi_out_lend(c, work);
  error = attempt(c, work, what, data, size, &done);
  c->busy = 0;
  if (c->out_pos == c->out_len)
    oi_out_release(c);
  else if (!oi_out_keep(c)) {
    oi_transport_failed(c, ENOMEM);
    c->dead = 1;
    oi_out_release(c);
  }
  oi_warm(c);
  return (int64_t)done | (int64_t)error << 32;
}
