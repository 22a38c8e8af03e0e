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

/* The connection, if the callback is one that it has.  The context's switch alone says
 * nothing: it may have been turned on later, for others. */
oi_conn *oi_hooked(const SSL *ssl, int which)
{
  oi_conn *c = oi_conn_of(ssl);
  return c && c->hooked & 1 << which ? c : NULL;
}

/* A connection of nobody's any more (somebody else still has the SSL), where
 * whoever had a callback may have wanted to refuse. */
static int orphaned(const SSL *ssl)
{
  return !oi_conn_of(ssl);
}

/* Python was asked; the queue of errors is again what it was before OI_ASK.  What
 * it runs there (the callable, and destructors of anything) leaves errors that
 * libssl would take for its own. */
int oi_answer(oi_conn *c, int value)
{
  ERR_pop_to_mark();
  if (value == OI_RAISED)
    c->callback_failed = 1;
  return value;
}

static void on_info(const SSL *ssl, int where, int ret)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_INFO);
  if (c)
    OI_ASK(c, oi_py_info(c->handle, where, ret));
}

static void on_keylog(const SSL *ssl, const char *line)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_KEYLOG);
  if (c)
    OI_ASK(c, oi_py_keylog(c->handle, line));
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned int in_size, void *unused)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_ALPN);
  int at;

  (void)unused;
  if (!c)
    return orphaned(ssl) ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
  at = OI_ASK(c, oi_py_alpn(c->handle, (const char *)in, in_size));
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
  oi_conn *c = oi_hooked(ssl, OI_ON_SERVERNAME);
  int said;

  (void)unused;
  *alert = SSL_AD_INTERNAL_ERROR;
  if (!SSL_is_server(ssl))
    return SSL_TLSEXT_ERR_NOACK; /* libssl asks clients too, who know the name */
  if (!c)
    return orphaned(ssl) ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
  said = OI_ASK(c, oi_py_servername(c->handle));
  return said == OI_RAISED ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static int on_certificate(SSL *ssl, void *unused)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_CERTIFICATE);
  int said;

  (void)unused;
  if (!c)
    return !orphaned(ssl);
  said = OI_ASK(c, oi_py_certificate(c->handle));
  return said == OI_RAISED ? 0 : said; /* 1 go on, -1 ask again */
}

static int on_client_hello(SSL *ssl, int *alert, void *unused)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_CLIENT_HELLO);
  int said;

  (void)unused;
  *alert = SSL_AD_INTERNAL_ERROR;
  if (!c)
    return orphaned(ssl) ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
  said = OI_ASK(c, oi_py_client_hello(c->handle));
  if (said == OI_RAISED)
    return SSL_CLIENT_HELLO_ERROR;
  return said < 0 ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

/* Python takes a reference of its own. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
  oi_conn *c = oi_hooked(ssl, OI_ON_SESSION);
  if (c)
    OI_ASK(c, oi_py_session(c->handle, session));
  return 0;
}

/* OpenSSL's own verification first; Python may refuse what it accepts, or put
 * the verdict off where OpenSSL can wait (a client, 3.0.2).  What OpenSSL refuses
 * stays refused. */
static int on_chain(X509_STORE_CTX *store, void *unused)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  oi_conn *c = ssl ? oi_hooked(ssl, OI_ON_CHAIN) : NULL;
  int ok, said;

  (void)unused;
  ok = X509_verify_cert(store) == 1;
  if (!c || c->callback_failed)
    return ok;
  said = OI_ASK(c, oi_py_chain(c->handle, ok, store));
  if (said == 1)
    return ok;
#ifdef SSL_set_retry_verify
  if (said == -1 && (ok || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)) {
    SSL_set_retry_verify(ssl);
    return 1;
  }
#endif
  if (ok) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    oi_refused(c, X509_V_ERR_APPLICATION_VERIFICATION, 0, X509_STORE_CTX_get0_cert(store));
  }
  return 0;
}

static int on_status(SSL *ssl, void *unused)
{
  int server = SSL_is_server(ssl), said;
  oi_conn *c = oi_hooked(ssl, server ? OI_ON_STATUS_SERVER : OI_ON_STATUS_CLIENT);

  (void)unused;
  if (!c)
    return server ? SSL_TLSEXT_ERR_NOACK : !orphaned(ssl);
  said = OI_ASK(c, oi_py_status(c->handle));
  if (server)
    return said == OI_RAISED ? SSL_TLSEXT_ERR_ALERT_FATAL
                             : said ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
  return said == OI_RAISED ? -1 : said;
}

/* Which callbacks of a connection go to Python. */
void oi_hook(oi_conn *c, int hooked)
{
  c->hooked = hooked;
  SSL_set_info_callback(c->ssl, hooked & 1 << OI_ON_INFO ? on_info : NULL);
}

/* Be as the context is now: what it asks of the peer, whom it trusts (in `store`); with no callback yet. */
void oi_follow(oi_conn *c, SSL_CTX *context, X509_STORE *store)
{
  oi_hook(c, 0);
  oi_verify_as(c, context);
  SSL_set1_verify_cert_store(c->ssl, store);
}

/* Once on, a callback is never taken off its context: connections that have it may
 * be in their handshakes.  Those that have not are not asked. */
void oi_context_on(SSL_CTX *context, int which)
{
  int (*servername)(SSL *, int *, void *) = on_servername;
  int (*status)(SSL *, void *) = on_status;

  switch (which) {
  case OI_ON_ALPN:
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    break;
  case OI_ON_SERVERNAME:
    SSL_CTX_set_tlsext_servername_callback(context, servername);
    break;
  case OI_ON_KEYLOG:
    SSL_CTX_set_keylog_callback(context, on_keylog);
    break;
  case OI_ON_CERTIFICATE:
    SSL_CTX_set_cert_cb(context, on_certificate, NULL);
    break;
  case OI_ON_CLIENT_HELLO:
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
    break;
  case OI_ON_SESSION:
    SSL_CTX_sess_set_new_cb(context, on_session);
    break;
  case OI_ON_CHAIN:
    SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
    break;
  case OI_ON_STATUS_SERVER:
  case OI_ON_STATUS_CLIENT:
    SSL_CTX_set_tlsext_status_cb(context, status);
    break;
  }
}
