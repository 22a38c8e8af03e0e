/* What programs written for pyOpenSSL call with the private pointer of a connection.
 *
 * An SSL that a program has made itself (SSL_new) is its own, and goes straight to
 * libssl.  That of one of our connections belongs to its engine, which knows what has
 * been read, what waits to leave and whose turn it is: who moved bytes past it would
 * leave it wrong about the connection, and race with the thread that is inside.  Such a
 * call does nothing, and fails with an ordinary error of OpenSSL's that says so. */
#include "conn.h"

/* The modes that the engine relies on; conn.c. */
#define ENGINE_MODES (SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)

static int engines(const SSL *ssl, const char *name)
{
  if (!ssl || !oi_conn_of(ssl))
    return 0;
  oi_refuse(name);
  return 1;
}

int oi_out_do_handshake(SSL *ssl)
{
  return engines(ssl, "SSL_do_handshake") ? -1 : SSL_do_handshake(ssl);
}

int oi_out_connect(SSL *ssl)
{
  return engines(ssl, "SSL_connect") ? -1 : SSL_connect(ssl);
}

int oi_out_accept(SSL *ssl)
{
  return engines(ssl, "SSL_accept") ? -1 : SSL_accept(ssl);
}

int oi_out_renegotiate(SSL *ssl)
{
  return engines(ssl, "SSL_renegotiate") ? 0 : SSL_renegotiate(ssl);
}

int oi_out_shutdown(SSL *ssl)
{
  return engines(ssl, "SSL_shutdown") ? -1 : SSL_shutdown(ssl);
}

int oi_out_read(SSL *ssl, void *data, int size)
{
  return engines(ssl, "SSL_read") ? -1 : SSL_read(ssl, data, size);
}

int oi_out_peek(SSL *ssl, void *data, int size)
{
  return engines(ssl, "SSL_peek") ? -1 : SSL_peek(ssl, data, size);
}

int oi_out_write(SSL *ssl, const void *data, int size)
{
  return engines(ssl, "SSL_write") ? -1 : SSL_write(ssl, data, size);
}

/* Since OpenSSL 4.0 it tells of the SSL's last operation, which was the engine's. */
int oi_out_get_error(const SSL *ssl, int result)
{
  return result <= 0 && oi_was_refused() ? SSL_ERROR_SSL : SSL_get_error(ssl, result);
}

int oi_out_read_early_data(SSL *ssl, void *data, size_t size, size_t *done)
{
  return engines(ssl, "SSL_read_early_data") ? SSL_READ_EARLY_DATA_ERROR
                                             : SSL_read_early_data(ssl, data, size, done);
}

int oi_out_write_early_data(SSL *ssl, const void *data, size_t size, size_t *done)
{
  return engines(ssl, "SSL_write_early_data") ? 0 : SSL_write_early_data(ssl, data, size, done);
}

int oi_out_listen(SSL *ssl, BIO_ADDR *peer)
{
  return engines(ssl, "DTLSv1_listen") ? -1 : DTLSv1_listen(ssl, peer);
}

long oi_out_handle_timeout(SSL *ssl)
{
  return engines(ssl, "DTLSv1_handle_timeout") ? -1 : DTLSv1_handle_timeout(ssl);
}

int oi_out_set_fd(SSL *ssl, int fd)
{
  return engines(ssl, "SSL_set_fd") ? 0 : SSL_set_fd(ssl, fd);
}

/* The BIOs that are refused stay the caller's. */
void oi_out_set_bio(SSL *ssl, BIO *in, BIO *out)
{
  if (!engines(ssl, "SSL_set_bio"))
    SSL_set_bio(ssl, in, out);
}

/* The engine's own callback stays, and asks the program's. */
void oi_out_set_verify(SSL *ssl, int mode, SSL_verify_cb callback)
{
  oi_conn *c = oi_conn_of(ssl);

  SSL_set_verify(ssl, mode, callback);
  if (c && callback)
    oi_set_verify(c, mode);
}

long oi_out_clear_mode(SSL *ssl, long mode)
{
  return SSL_clear_mode(ssl, oi_conn_of(ssl) ? mode & ~(long)ENGINE_MODES : mode);
}
