/* DTLS: timers, cookies, sizes, and keys for SRTP.  The datagrams themselves go
 * through the same BIO as everything else, one write of libssl after another:
 * records of DTLS say themselves where they end. */
#include "conn.h"

#include <sys/time.h>

#include <openssl/srtp.h>

/* How long until a flight has to be sent again; 0 if no timer runs. */
int oi_dtls_timeout(SSL *ssl, long *seconds, long *microseconds)
{
  struct timeval left = {0, 0};

  if (!DTLSv1_get_timeout(ssl, &left))
    return 0;
  *seconds = (long)left.tv_sec;
  *microseconds = (long)left.tv_usec;
  return 1;
}

static int keep(oi_conn *c, oi_work *work, int result)
{
  if (result < 0) {
    work->ssl_error = SSL_get_error(c->ssl, result);
    oi_drain_errors(&work->errors);
  } else {
    /* A datagram that is none of ours is dropped, but why stays in the queue. */
    ERR_clear_error();
  }
  return result;
}

/* 1: a flight was sent again, 0: no timer had run out, -1: too often. */
int oi_dtls_handle_timeout(oi_conn *c, oi_work *work)
{
  int result;

  work->errors.count = 0;
  ERR_clear_error();
  c->direct = c->busy = 1;
  c->callback_failed = 0;
  result = keep(c, work, (int)DTLSv1_handle_timeout(c->ssl));
  c->busy = 0;
  return result;
}

/* 1: a client has shown its cookie, 0: wait for the next datagram, -1: an error. */
int oi_dtls_listen(oi_conn *c, oi_work *work)
{
  BIO_ADDR *peer = BIO_ADDR_new();
  int result;

  work->errors.count = 0;
  ERR_clear_error();
  if (!peer)
    return -1;
  c->direct = c->busy = 1;
  c->callback_failed = 0;
  result = keep(c, work, DTLSv1_listen(c->ssl, peer));
  c->busy = 0;
  BIO_ADDR_free(peer);
  return result;
}

static int on_make(SSL *ssl, unsigned char *cookie, unsigned int *size)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_COOKIE_MAKE);
  int made = c ? OI_ASK(c, oi_py_cookie_make(c->handle, cookie, DTLS1_COOKIE_LENGTH)) : OI_RAISED;

  if (made == OI_RAISED)
    return 0;
  *size = (unsigned int)made;
  return 1;
}

static int on_check(SSL *ssl, const unsigned char *cookie, unsigned int size)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_COOKIE_CHECK);
  int good = c ? OI_ASK(c, oi_py_cookie_check(c->handle, cookie, size)) : OI_RAISED;

  return good == OI_RAISED ? 0 : good;
}

/* One at a time: who does the cookies himself only says that they are good. */
void oi_cookie_on(SSL_CTX *context, int check)
{
  if (check)
    SSL_CTX_set_cookie_verify_cb(context, on_check);
  else
    SSL_CTX_set_cookie_generate_cb(context, on_make);
}

long oi_set_mtu(SSL *ssl, long size)
{
  return SSL_set_mtu(ssl, size);
}

const char *oi_srtp_profile(SSL *ssl)
{
  SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(ssl);
  return profile ? profile->name : NULL;
}
