/* For the generated file alone: what programs may call by OpenSSL's own names with
 * any SSL, and what the engine's own C calls without asking (outsiders.c). */
#ifndef OI_OUTSIDERS_H
#define OI_OUTSIDERS_H

#include "conn.h"

int oi_out_do_handshake(SSL *ssl);
int oi_out_connect(SSL *ssl);
int oi_out_accept(SSL *ssl);
int oi_out_renegotiate(SSL *ssl);
int oi_out_shutdown(SSL *ssl);
int oi_out_read(SSL *ssl, void *data, int size);
int oi_out_peek(SSL *ssl, void *data, int size);
int oi_out_write(SSL *ssl, const void *data, int size);
int oi_out_get_error(const SSL *ssl, int result);
int oi_out_read_early_data(SSL *ssl, void *data, size_t size, size_t *done);
int oi_out_write_early_data(SSL *ssl, const void *data, size_t size, size_t *done);
int oi_out_listen(SSL *ssl, BIO_ADDR *peer);
long oi_out_handle_timeout(SSL *ssl);
int oi_out_set_fd(SSL *ssl, int fd);
void oi_out_set_bio(SSL *ssl, BIO *in, BIO *out);
void oi_out_set_verify(SSL *ssl, int mode, SSL_verify_cb callback);
long oi_out_clear_mode(SSL *ssl, long mode);

#undef DTLSv1_handle_timeout
#undef SSL_clear_mode
#define SSL_do_handshake oi_out_do_handshake
#define SSL_connect oi_out_connect
#define SSL_accept oi_out_accept
#define SSL_renegotiate oi_out_renegotiate
#define SSL_shutdown oi_out_shutdown
#define SSL_read oi_out_read
#define SSL_peek oi_out_peek
#define SSL_write oi_out_write
#define SSL_get_error oi_out_get_error
#define SSL_read_early_data oi_out_read_early_data
#define SSL_write_early_data oi_out_write_early_data
#define DTLSv1_listen oi_out_listen
#define DTLSv1_handle_timeout oi_out_handle_timeout
#define SSL_set_fd oi_out_set_fd
#define SSL_set_bio oi_out_set_bio
#define SSL_set_verify oi_out_set_verify
#define SSL_clear_mode oi_out_clear_mode

/* OpenSSL 3.2 was the first to have it, and we have an answer for those before. */
#define SSL_get0_group_name oi_group_name

#endif
