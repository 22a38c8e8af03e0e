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
 *    oi_perform(), with nothing in between; what the queue holds then is copied to
 *    the workspace.  A destructor or a signal handler that runs on this thread
 *    later cannot turn one result into another.
 *  - The BIO never reports the end of the transport: libssl would answer it
 *    with an alert and a dead connection, differently in each version.  It says
 *    "retry", and oi_settle() takes "wants to read" at the end of the transport for
 *    what it is.
 *  - The BIO takes every write (but a datagram's).  No record is half written as
 *    far as libssl knows, which could not send anything else before the rest of
 *    it: no answer to a key update, no renegotiation.
 *  - SSL_write is not called while a handshake is under way on an established
 *    connection: application data that arrives then would be an error, which
 *    it is not when SSL_read drives the handshake.
 *  - Plaintext that was decrypted before a failure is given first; the failure
 *    stays in the connection.
 *  - A callback that comes back into its own connection finds it busy: nothing is
 *    done then.  What it asks for otherwise (detaching) takes effect when the
 *    operation is over.
 *
 * The caller holds the connection's lock.  No system call here waits. */
#include "conn.h"

#include <errno.h>

#define BUSY ((int64_t)OI_BUSY << 32)

/* Is there anything that an event should be reported for? */
static int noteworthy(oi_conn *c, int was_done, int was_ended)
{
  return c->dead || c->failed || c->callback_failed || c->handshake_done != was_done || c->ended != was_ended;
}

static int begin(oi_conn *c, oi_work *work)
{
  if (c->busy)
    return 0;
  oi_work_clear(work);
  c->busy = 1;
  c->direct = 0;
  c->callback_failed = c->failed = c->idle = c->put_off = 0;
  return 1;
}

static int64_t finish(oi_conn *c, size_t n, int wants, int news)
{
  c->busy = 0;
  if (c->out_pos < c->out_len) {
    if (!c->put_off && oi_flush(c)) {
      news |= c->sys_errno != 0;
    } else {
      wants |= OI_WANT_WRITE;
      if (!oi_out_keep(c)) {
        /* No memory to keep it in: what was promised cannot be held. */
        c->dead = 1;
        oi_transport_failed(c, ENOMEM);
        oi_out_release(c);
        news = 1;
      }
    }
  } else {
    oi_out_release(c);
  }
  oi_warm(c);
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

/* The block of plaintext is full: may there be more to come back for?  The beginning of a record is
 * nothing of the kind. */
static int beyond(oi_conn *c)
{
  return c->eof || oi_buffered_plain(c) || SSL_has_pending(c->ssl) || oi_record_waits(c);
}

/* Let libssl take what has come; give plaintext. */
static int64_t pump(oi_conn *c, oi_work *work)
{
  size_t n = 0, got;
  int was_done = c->handshake_done, was_ended = c->ended, wants = 0, error = SSL_ERROR_NONE;
  int behind = oi_buffered_out(c) != 0;

  oi_out_lend(c, work);
  if (!c->dead && !c->handshake_done) {
    error = oi_perform(c, work, OI_HANDSHAKE, NULL, 0, &got);
    oi_settle(c, work, error);
  }
  n = oi_kept(c, work->plain, OI_EVENT_SIZE, 0);
  if (!c->dead && c->handshake_done && !c->callback_failed && c->ended != OI_CLEAN) {
    while (n < OI_EVENT_SIZE) {
      error = oi_perform(c, work, OI_READ, work->plain + n, OI_EVENT_SIZE - n, &got);
      if (error == SSL_ERROR_NONE)
        n += got;
      if (error != SSL_ERROR_NONE || c->callback_failed)
        break;
      /* That was all there is: libssl need not be asked to say so. */
      if (!c->block_len && !oi_buffered_in(c) && !c->eof && !SSL_has_pending(c->ssl))
        break;
    }
    if (n == OI_EVENT_SIZE && error == SSL_ERROR_NONE && beyond(c))
      wants |= OI_WANT_PROCEED;
    oi_settle(c, work, error);
  }
  if (c->sys_errno && c->ended == OI_CLEAN)
    c->dead = 1; /* nothing more can come, and nothing can go */
  if (c->block_len) {
    if (c->dead || c->ended == OI_CLEAN) {
      c->block_len = 0; /* nothing after the end is of interest */
    } else if (!oi_put(c, (const char *)c->block, c->block_len)) {
      c->dead = 1;
      oi_transport_failed(c, ENOMEM);
    }
    c->block_len = 0;
  }
  /* The peer has said goodbye, and most owners will answer it now: one system call fewer, since the tickets
   * of a handshake are to be sent as well. */
  c->put_off = !n && !behind && c->fd >= 0 && c->ended == OI_CLEAN && was_ended == OI_OPEN && !c->dead &&
               !c->close_sent && !c->sys_errno;
  return finish(c, n, wants, noteworthy(c, was_done, was_ended));
}

int64_t oi_event_read(oi_conn *c, oi_work *work)
{
  ssize_t got;

  if (!begin(c, work))
    return BUSY;
  if (c->fd >= 0 && !c->eof && !c->dead) {
    got = oi_receive(c, work->received, OI_EVENT_SIZE);
    if (got > 0) {
      c->block = work->received;
      c->block_len = (size_t)got;
    } else if (got == 0 || c->sys_errno) {
      c->eof = 1;
    } else if (!oi_again(errno)) {
      oi_transport_failed(c, errno);
      c->eof = 1;
    }
  }
  return pump(c, work);
}

int64_t oi_event_feed(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  if (!begin(c, work))
    return BUSY;
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
  if (!begin(c, work))
    return BUSY;
  return pump(c, work);
}

/* The low half of the result: how much of the data was taken. */
int64_t oi_event_write(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  size_t taken = 0, done;
  int was_done = c->handshake_done, was_ended = c->ended, error;

  if (!begin(c, work))
    return BUSY;
  oi_out_lend(c, work);
  while (taken < size && !c->dead && !c->sys_errno && c->handshake_done && !oi_renegotiating(c)) {
    if (oi_buffered_out(c) >= OI_EVENT_SIZE) {
      if (c->fd < 0 || !oi_flush(c))
        break;
      oi_out_lend(c, work);
      continue;
    }
    error = oi_perform(c, work, OI_WRITE, (char *)data + taken,
                    size - taken < SSL3_RT_MAX_PLAIN_LENGTH ? size - taken : SSL3_RT_MAX_PLAIN_LENGTH,
                    &done);
    if (error != SSL_ERROR_NONE) {
      oi_settle(c, work, error);
      break;
    }
    taken += done;
  }
  if (oi_stranded(c))
    taken = size;
  return finish(c, taken, 0, noteworthy(c, was_done, was_ended));
}

int64_t oi_event_flush(oi_conn *c, oi_work *work)
{
  int was_ended = c->ended;

  (void)work;
  if (!begin(c, work))
    return BUSY;
  return finish(c, 0, 0, noteworthy(c, c->handshake_done, was_ended));
}

/* Without a descriptor: take ciphertext that is to leave into work->plain. */
int64_t oi_event_output(oi_conn *c, oi_work *work, size_t size)
{
  int was_ended = c->ended;

  if (!begin(c, work))
    return BUSY;
  size = oi_take(c, work->plain, size);
  return finish(c, size, 0, noteworthy(c, c->handshake_done, was_ended));
}

/* The low half of the result: whether close_notify has been written, and the transport had not failed. */
int64_t oi_event_close(oi_conn *c, oi_work *work)
{
  size_t done;
  int was_ended = c->ended;

  if (!begin(c, work))
    return BUSY;
  if (!c->dead && !c->close_sent && c->handshake_done && !oi_renegotiating(c)) {
    oi_out_lend(c, work);
    /* What SSL_shutdown says beyond "written" is of no interest: reading goes
     * on, and it is SSL_read that hears of the peer's close_notify. */
    if (oi_perform(c, work, OI_SHUTDOWN, NULL, 0, &done) != SSL_ERROR_NONE)
      c->close_sent = (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) != 0;
  }
  if (oi_stranded(c))
    c->close_sent = 1;
  return finish(c, c->close_sent && !c->dropped, 0, noteworthy(c, c->handshake_done, was_ended));
}
