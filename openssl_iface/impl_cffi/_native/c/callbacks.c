/* The way up: from libssl's callbacks to Python.
 *
 * Each function here finds the connection, asks Python through the handle that
 * the connection owns, and fails closed: where Python raised (OI_RAISED), the
 * handshake ends with an alert, and callback_failed tells the operation that
 * caused it to raise the exception, which Python has kept by then. */
#include "conn.h"

int oi_conn_index = -1;

oi_conn *oi_conn_of(const SSL *ssl)
{
  return SSL_get_ex_data(ssl, oi_conn_index);
}

static int answer(oi_conn *c, int value)
{
  if (value == OI_RAISED)
    c->callback_failed = 1;
  return value;
}

static void on_info(const SSL *ssl, int where, int ret)
{
  oi_conn *c = oi_conn_of(ssl);
  if (c)
    answer(c, oi_py_info(c->handle, where, ret));
}

static void on_keylog(const SSL *ssl, const char *line)
{
  oi_conn *c = oi_conn_of(ssl);
  if (c)
    answer(c, oi_py_keylog(c->handle, line));
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned int in_size, void *unused)
{
  oi_conn *c = oi_conn_of(ssl);
  int at;

  (void)unused;
  if (!c)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  at = answer(c, oi_py_alpn(c->handle, (const char *)in, in_size));
  if (at == OI_RAISED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  if (at < 0)
    return SSL_TLSEXT_ERR_NOACK;
  if ((unsigned int)at >= in_size || (unsigned int)at + 1 + in[at] > in_size)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = in + at + 1;
  *out_size = in[at];
  return SSL_TLSEXT_ERR_OK;
}

static int on_servername(SSL *ssl, int *alert, void *unused)
{
  oi_conn *c = oi_conn_of(ssl);
  int said;

  (void)unused;
  *alert = SSL_AD_INTERNAL_ERROR;
  if (!c)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  said = answer(c, oi_py_servername(c->handle));
  return said == OI_RAISED ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static int on_certificate(SSL *ssl, void *unused)
{
  oi_conn *c = oi_conn_of(ssl);
  int said;

  (void)unused;
  said = c ? answer(c, oi_py_certificate(c->handle)) : OI_RAISED;
  return said == OI_RAISED ? 0 : said; /* 1 go on, -1 ask again */
}

static int on_client_hello(SSL *ssl, int *alert, void *unused)
{
  oi_conn *c = oi_conn_of(ssl);
  int said;

  (void)unused;
  *alert = SSL_AD_INTERNAL_ERROR;
  said = c ? answer(c, oi_py_client_hello(c->handle)) : OI_RAISED;
  if (said == OI_RAISED)
    return SSL_CLIENT_HELLO_ERROR;
  return said < 0 ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

/* Python takes a reference of its own. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
  oi_conn *c = oi_conn_of(ssl);
  if (c)
    answer(c, oi_py_session(c->handle, session));
  return 0;
}

/* OpenSSL's own verification first; Python may refuse what it accepts, or put
 * the verdict off where OpenSSL can wait (3.0). */
static int on_chain(X509_STORE_CTX *store, void *unused)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  oi_conn *c = ssl ? oi_conn_of(ssl) : NULL;
  int ok, said;

  (void)unused;
  ok = X509_verify_cert(store) == 1;
  if (!c || (!ok && SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER))
    return ok;
  said = answer(c, oi_py_chain(c->handle, ok, store));
  if (said == 1)
    return ok;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  if (said == -1) {
    SSL_set_retry_verify(ssl);
    return 1;
  }
#endif
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  c->verify_error = X509_V_ERR_APPLICATION_VERIFICATION;
  c->verify_depth = 0;
  return 0;
}

static int on_status(SSL *ssl, void *unused)
{
  oi_conn *c = oi_conn_of(ssl);
  int said;

  (void)unused;
  said = c ? answer(c, oi_py_status(c->handle)) : OI_RAISED;
  if (SSL_is_server(ssl))
    return said == OI_RAISED ? SSL_TLSEXT_ERR_ALERT_FATAL
                             : said ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
  return said == OI_RAISED ? -1 : said;
}

void oi_info_on(oi_conn *c, int on)
{
  SSL_set_info_callback(c->ssl, on ? on_info : NULL);
}

void oi_context_on(SSL_CTX *context, int which, int on)
{
  int (*servername)(SSL *, int *, void *) = on ? on_servername : NULL;
  int (*status)(SSL *, void *) = on ? on_status : NULL;

  switch (which) {
  case OI_ON_INFO:
    SSL_CTX_set_info_callback(context, on ? on_info : NULL);
    break;
  case OI_ON_ALPN:
    SSL_CTX_set_alpn_select_cb(context, on ? on_alpn : NULL, NULL);
    break;
  case OI_ON_SERVERNAME:
    SSL_CTX_set_tlsext_servername_callback(context, servername);
    break;
  case OI_ON_KEYLOG:
    SSL_CTX_set_keylog_callback(context, on ? on_keylog : NULL);
    break;
  case OI_ON_CERTIFICATE:
    SSL_CTX_set_cert_cb(context, on ? on_certificate : NULL, NULL);
    break;
  case OI_ON_CLIENT_HELLO:
    SSL_CTX_set_client_hello_cb(context, on ? on_client_hello : NULL, NULL);
    break;
  case OI_ON_SESSION:
    SSL_CTX_sess_set_new_cb(context, on ? on_session : NULL);
    break;
  case OI_ON_CHAIN:
    SSL_CTX_set_cert_verify_callback(context, on ? on_chain : NULL, NULL);
    break;
  case OI_ON_STATUS:
    SSL_CTX_set_tlsext_status_cb(context, status);
    break;
  }
}
