/* Events without a detour: the lock, and the commonest results.
 *
 * A connection's lock is here, in C, so that an event needs no other call to take it.
 * It is recursive: a callback asks things of its own connection.  It is never held while
 * anything waits.
 *
 * An oi_fast_ function takes the lock, does its event, and lets go of it again if there is
 * nothing more to say than a size: no news, and nothing that Python keeps for the connection
 * (`calm`).  Else the result is negative, and *the lock is still held*, handed over: Python
 * goes on with it, at leisure, and lets go by oi_done().  A signal's handler may raise before
 * Python is as far as that: whoever catches it calls oi_done() again.
 *
 *     >= 0        all is done: so many bytes
 *     OI_LOOK     nothing is done: Python has something that comes first
 *     ~code       the code of the event: Python has to look at it
 *
 * Whoever takes the lock from Python may leave something there, so that ends the calm;
 * Python declares it again when it has looked. */
#include "conn.h"

#include <pthread.h>

/* Its address tells threads apart. */
static __thread char self;
/* How many forks lie between this process and the one that loaded us, and the thread that made the last. */
static unsigned forks;
static void *forker;
static pthread_mutex_t renewing = PTHREAD_MUTEX_INITIALIZER;

static void in_child(void)
{
  pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

  renewing = fresh;
  forker = &self;
  forks++;
  oi_warm_forked();
}

/* Once in a process; 0 if memory is short. */
int oi_locks_setup(void)
{
  return pthread_atfork(NULL, NULL, in_child) == 0;
}

int oi_lock_init(oi_conn *c)
{
  c->born = c->forks = forks;
  return pthread_mutex_init(&c->mutex, NULL) == 0;
}

/* Was it made in another process, before a fork? */
int oi_inherited(const oi_conn *c)
{
  return c->born != forks;
}

void oi_lock_free(oi_conn *c)
{
  if (!c->depth)
    pthread_mutex_destroy(&c->mutex);
}

/* A thread of the parent had it, perhaps, which does not live in the child; its address may be another one's. */
static void renew(oi_conn *c)
{
  pthread_mutex_lock(&renewing);
  if (c->forks != forks) {
    if (__atomic_load_n(&c->owner, __ATOMIC_RELAXED) != forker) {
      pthread_mutex_init(&c->mutex, NULL);
      c->depth = 0;
      __atomic_store_n(&c->owner, (void *)0, __ATOMIC_RELAXED);
    }
    c->warm = 0;
    __atomic_store_n(&c->forks, forks, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&renewing);
}

static void lock(oi_conn *c)
{
  if (__atomic_load_n(&c->forks, __ATOMIC_ACQUIRE) != forks)
    renew(c);
  /* Only the thread itself writes its own address there. */
  if (__atomic_load_n(&c->owner, __ATOMIC_RELAXED) != (void *)&self) {
    pthread_mutex_lock(&c->mutex);
    __atomic_store_n(&c->owner, (void *)&self, __ATOMIC_RELAXED);
  }
  c->depth++;
}

static void unlock(oi_conn *c)
{
  if (!--c->depth) {
    __atomic_store_n(&c->owner, (void *)0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->mutex);
  }
}

void oi_lock(oi_conn *c)
{
  lock(c);
  c->calm = 0;
}

void oi_unlock(oi_conn *c)
{
  unlock(c);
}

/* Noted in the event's workspace: a signal's handler may begin another event in its midst. */
static void hand_over(oi_conn *c, oi_work *work)
{
  work->handed = c->depth;
}

/* The beginning of an event for which there is no short cut. */
void oi_begin(oi_conn *c, oi_work *work)
{
  oi_lock(c);
  hand_over(c, work);
}

/* The end of what Python does for an event, or of one that was left in its midst; nothing the second time. */
void oi_done(oi_conn *c, oi_work *work, int calm)
{
  if (!work->handed)
    return;
  c->depth = work->handed;
  work->handed = 0;
  c->calm = calm;
  unlock(c);
}

/* ---- events ----------------------------------------------------------------- */

#define NEWS ((int64_t)OI_NEWS << 32)
#define BUSY ((int64_t)OI_BUSY << 32)
#define SIZE(code) ((int64_t)(uint32_t)(code))

static int begins(oi_conn *c, oi_work *work)
{
  lock(c);
  hand_over(c, work);
  return c->calm && !c->busy;
}

/* Has the transport not taken what was sent? */
static int blocked(const oi_conn *c)
{
  return c->wants & OI_WANT_WRITE && !c->put_off;
}

static void leaves(oi_conn *c, oi_work *work)
{
  work->handed = 0;
  unlock(c);
}

/* Is the news of a reading event no more than the two commonest?  Then say which. */
static int64_t common(const oi_conn *c, int64_t code)
{
  if (code < NEWS || code >= BUSY || c->dead || c->failed || c->callback_failed || c->ended > OI_CLEAN || !c->handshake_done)
    return code;
  return code | (int64_t)(OI_COMPLETE | (c->ended == OI_CLEAN ? OI_GOODBYE : 0)) << 32;
}

/* `keep`: what else the connection goes on wanting. */
static int64_t ends(oi_conn *c, oi_work *work, int64_t code, int keep)
{
  if (code >= NEWS || !c->calm)
    return ~code;
  c->wants = (int)(code >> 32) | keep;
  leaves(c, work);
  return SIZE(code);
}

int64_t oi_fast_read(oi_conn *c, oi_work *work)
{
  return begins(c, work) ? ends(c, work, common(c, oi_event_read(c, work)), 0) : OI_LOOK;
}

int64_t oi_fast_feed(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  return begins(c, work) ? ends(c, work, common(c, oi_event_feed(c, work, data, size)), 0) : OI_LOOK;
}

int64_t oi_fast_write(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  int64_t code;

  if (!begins(c, work) || blocked(c))
    return OI_LOOK;
  code = oi_event_write(c, work, data, size);
  return (size_t)SIZE(code) == size ? ends(c, work, code, c->wants & OI_WANT_PROCEED) : ~code;
}

int64_t oi_fast_output(oi_conn *c, oi_work *work, size_t size)
{
  return begins(c, work) ? ends(c, work, oi_event_output(c, work, size), c->wants & OI_WANT_PROCEED) : OI_LOOK;
}

/* Both at once, where nothing waits to leave before: the size is that of the ciphertext, in work->plain. */
int64_t oi_fast_encrypt(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  int64_t code;

  if (!begins(c, work) || c->fd >= 0 || c->datagrams || oi_buffered_out(c))
    return OI_LOOK;
  code = oi_event_write(c, work, data, size);
  if ((size_t)SIZE(code) != size || code >= NEWS || !c->calm)
    return ~code;
  c->wants = (int)(code >> 32) | (c->wants & OI_WANT_PROCEED);
  size = oi_take(c, work->plain, OI_EVENT_SIZE);
  if (!oi_buffered_out(c))
    c->wants &= ~OI_WANT_WRITE;
  leaves(c, work);
  return (int64_t)size;
}

/* Our goodbye.  Unlike the others it hands the lock over whatever comes of it: Python has to note that it is said. */
int64_t oi_fast_close(oi_conn *c, oi_work *work)
{
  int64_t code;

  if (!begins(c, work) || blocked(c))
    return OI_LOOK;
  c->calm = 0;
  code = oi_event_close(c, work);
  if (code >= NEWS)
    return ~code;
  c->wants = (c->wants & ~(OI_WANT_READ | OI_WANT_WRITE)) | (int)(code >> 32);
  return code;
}

/* Handed over in the same way. */
void oi_fast_detach(oi_conn *c, oi_work *work)
{
  oi_begin(c, work);
  oi_detach(c);
}

/* Ciphertext that waits for the transport: not what is put off, of which nothing is the owner's. */
size_t oi_fast_queued(oi_conn *c)
{
  size_t size;

  lock(c);
  size = c->put_off ? 0 : oi_buffered_out(c);
  unlock(c);
  return size;
}

/* Whether close_notify has left. */
int oi_fast_close_sent(oi_conn *c)
{
  int sent;

  lock(c);
  sent = c->close_sent && !oi_buffered_out(c) && !c->dropped;
  unlock(c);
  return sent;
}

/* 0 if something waits to leave another way. */
int oi_fast_attach(oi_conn *c, int fd)
{
  int clear;

  lock(c);
  clear = !oi_buffered_out(c);
  if (clear)
    c->fd = fd;
  unlock(c);
  return clear;
}

/* 0 if the handshake has begun on the other side, or a callback of this connection asks. */
int oi_fast_side(oi_conn *c, int server)
{
  int done = 1;

  lock(c);
  if (c->busy) /* a callback asks: libssl would begin anew, in the midst of it */
    done = 0;
  else if (!SSL_in_before(c->ssl))
    done = !SSL_is_server(c->ssl) == !server;
  else if (server)
    SSL_set_accept_state(c->ssl);
  else
    SSL_set_connect_state(c->ssl);
  unlock(c);
  return done;
}

/* ---- the manual's face, without a descriptor ---------------------------------- */

/* OI_WANT, with the lock let go of: libssl waits for what has not come. */
static int64_t operate(oi_conn *c, oi_work *work, int what, char *data, size_t size)
{
  int was_done, was_ended;
  int64_t code;

  lock(c);
  hand_over(c, work);
  if (c->dead || c->busy)
    return OI_LOOK;
  was_done = c->handshake_done;
  was_ended = c->ended;
  code = oi_operate(c, work, what, data, size);
  if (!c->callback_failed && !c->detached && c->handshake_done == was_done && c->ended == was_ended) {
    if (code >> 32 == SSL_ERROR_NONE) {
      leaves(c, work);
      return code;
    }
    if (code >> 32 == SSL_ERROR_WANT_READ && !c->eof && !c->sys_errno && !c->dead) {
      leaves(c, work);
      return OI_WANT;
    }
  }
  c->calm = 0;
  return ~code;
}

/* Would libssl find nothing at all?  It takes a buffer to see that. */
static int nothing_there(oi_conn *c)
{
  return c->direct && c->handshake_done && !c->dead && !c->busy && !c->datagrams && !c->eof && !c->sys_errno &&
         c->ended == OI_OPEN && !c->block_len && !oi_buffered_in(c) && !oi_buffered_plain(c) &&
         !SSL_has_pending(c->ssl) && !oi_renegotiating(c) && !(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN);
}

int64_t oi_fast_recv(oi_conn *c, oi_work *work, size_t size)
{
  lock(c);
  if (nothing_there(c)) {
    c->idle = 1;
    unlock(c);
    return OI_WANT;
  }
  unlock(c);
  return operate(c, work, OI_READ, work->plain, size < OI_EVENT_SIZE ? size : OI_EVENT_SIZE);
}

int64_t oi_fast_send(oi_conn *c, oi_work *work, const char *data, size_t size)
{
  return operate(c, work, OI_WRITE, (char *)data, size);
}

int oi_fast_put(oi_conn *c, const char *data, size_t size)
{
  int done;

  lock(c);
  done = oi_put(c, data, size);
  unlock(c);
  return done;
}

size_t oi_fast_take(oi_conn *c, oi_work *work, size_t size)
{
  lock(c);
  size = oi_take(c, work->plain, size < OI_EVENT_SIZE ? size : OI_EVENT_SIZE);
  unlock(c);
  return size;
}
