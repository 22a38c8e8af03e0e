/* DTLS: timers, cookies, sizes, and keys for SRTP. */
int oi_dtls_timeout(SSL *, long *, long *);
int oi_dtls_handle_timeout(oi_conn *, oi_work *);
int oi_dtls_listen(oi_conn *, oi_work *);
void oi_cookie_on(SSL_CTX *, int);
long oi_set_mtu(SSL *, long);
size_t DTLS_get_data_mtu(const SSL *);
int SSL_CTX_set_tlsext_use_srtp(SSL_CTX *, const char *);
const char *oi_srtp_profile(SSL *);

extern "Python+C" {
  int oi_py_cookie_make(void *, unsigned char *, unsigned int);
  int oi_py_cookie_check(void *, const unsigned char *, unsigned int);
}
