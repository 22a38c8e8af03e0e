/* libssl's buffers: kept by the connections that are busy, given back by those that are idle.
 *
 * libssl has 17 KiB for what it reads and as much for what it writes.  With SSL_MODE_RELEASE_BUFFERS
 * each record asks the allocator for them and gives them back, which costs a busy connection as much as
 * the encryption of a small message.  So that mode is off, and the ring below has the WARM connections
 * that were at it last: one that loses its place gives its buffers back (SSL_free_buffers(3)).
 *
 * Each event ends in oi_warm().  A connection that is in the ring notes that it was used, and that is all.
 * Else the hand goes round (second chance) to a place whose connection was not used since it last came by.
 *
 * Locks: the caller has its own connection's, then takes the ring's, and tries another connection's under
 * it without ever waiting: who is busy keeps its place.  `warm` is read and written under the connection's
 * own lock, or by oi_warm_forget() when nobody else has the connection. */
#include "conn.h"

#include <string.h>

#define WARM 64

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static oi_conn *ring[WARM];
static unsigned hand;

/* In the middle of a record its bytes are there: then libssl keeps what it has, as with the mode.
 * It is asked here, since before 3.0.14 SSL_free_buffers did not look closely (CVE-2024-4741). */
static void give_back(oi_conn *c)
{
  const char *state = SSL_rstate_string(c->ssl);

  if (state && !strcmp(state, "RH") && !SSL_has_pending(c->ssl))
    SSL_free_buffers(c->ssl);
}

/* Make a place free; 0 if its connection is busy or was so lately. */
static int vacate(oi_conn **place)
{
  oi_conn *c = *place;

  if (!c)
    return 1;
  if (__atomic_exchange_n(&c->used, 0, __ATOMIC_RELAXED) || pthread_mutex_trylock(&c->mutex))
    return 0;
  give_back(c);
  c->warm = 0;
  *place = NULL;
  pthread_mutex_unlock(&c->mutex);
  return 1;
}

static oi_conn **find(void)
{
  int i;

  for (i = 0; i < 2 * WARM; i++) {
    oi_conn **place = &ring[hand++ % WARM];
    if (vacate(place))
      return place;
  }
  return NULL;
}

/* The end of an event of `c`, whose lock the caller has. */
void oi_warm(oi_conn *c)
{
  oi_conn **place;

  if (c->warm) {
    __atomic_store_n(&c->used, 1, __ATOMIC_RELAXED);
    return;
  }
  if (c->datagrams)
    return;
  pthread_mutex_lock(&ring_lock);
  place = find();
  if (place) {
    *place = c;
    c->warm = (int)(place - ring) + 1;
  }
  pthread_mutex_unlock(&ring_lock);
  if (!place)
    give_back(c);
}

/* Before `c` is freed. */
void oi_warm_forget(oi_conn *c)
{
  pthread_mutex_lock(&ring_lock);
  if (c->warm && ring[c->warm - 1] == c)
    ring[c->warm - 1] = NULL;
  c->warm = 0;
  pthread_mutex_unlock(&ring_lock);
}

/* In a child after fork: what the parent's threads had in hand is not known. */
void oi_warm_forked(void)
{
  pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

  ring_lock = fresh;
  memset(ring, 0, sizeof ring);
}
