/* Library contexts of our own, and the algorithms that OpenSSL 3 put aside:
 * OSSL_PROVIDER(3), OSSL_PROVIDER-legacy(7).  All else is in optional.txt. */
static const int ERR_R_UNSUPPORTED;
