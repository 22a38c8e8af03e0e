/* What nothing here calls: programs written for pyOpenSSL reach past it for these, with the
 * private pointers of its objects (openssl_iface.dropin._util). */
typedef ... EC_KEY;
typedef ... EC_GROUP;
typedef ... DH;

unsigned long ERR_get_error(void);
const char *ERR_func_error_string(unsigned long);
void ERR_put_error(int, int, int, const char *, int);

int SSL_CTX_set_ecdh_auto(SSL_CTX *, int);
int SSL_CTX_set1_curves_list(SSL_CTX *, const char *);
X509_VERIFY_PARAM *SSL_CTX_get0_param(SSL_CTX *);
X509_VERIFY_PARAM *SSL_get0_param(SSL *);
int X509_VERIFY_PARAM_set1_host(X509_VERIFY_PARAM *, const char *, size_t);
void X509_VERIFY_PARAM_set_hostflags(X509_VERIFY_PARAM *, unsigned int);
int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *, const char *);
int X509_VERIFY_PARAM_set1_ip(X509_VERIFY_PARAM *, const unsigned char *, size_t);
int SSL_CTX_set_tmp_dh(SSL_CTX *, DH *);
DH *PEM_read_bio_DHparams(BIO *, DH **, int (*)(char *, int, int, void *), void *);
void DH_free(DH *);
int SSL_get_error(const SSL *, int);
SSL_CTX *SSL_get_SSL_CTX(const SSL *);
int SSL_get_server_tmp_key(SSL *, EVP_PKEY **);
EC_KEY *EVP_PKEY_get1_EC_KEY(EVP_PKEY *);
const EC_GROUP *EC_KEY_get0_group(const EC_KEY *);
int EC_GROUP_get_curve_name(const EC_GROUP *);
EC_KEY *EC_KEY_new_by_curve_name(int);
void EC_KEY_free(EC_KEY *);
char *X509_NAME_oneline(const X509_NAME *, char *, int);
static const int EVP_PKEY_RSA;
static const int EVP_PKEY_DSA;
static const int EVP_PKEY_DH;
static const int EVP_PKEY_EC;
static const int NID_X25519;

const char *X509_get_default_cert_file_env(void);
const char *X509_get_default_cert_dir_env(void);
struct stack_st_X509_OBJECT *X509_STORE_get0_objects(X509_STORE *);
int sk_X509_OBJECT_num(const struct stack_st_X509_OBJECT *);
X509_OBJECT *sk_X509_OBJECT_value(const struct stack_st_X509_OBJECT *, int);
X509 *X509_OBJECT_get0_X509(const X509_OBJECT *);

/* connections: those that are named in c/outsiders.h refuse the SSL of one of ours */
typedef int (*SSL_verify_cb)(int, X509_STORE_CTX *);
typedef void (*SSL_CTX_keylog_cb_func)(const SSL *, const char *);
typedef ... BIO_ADDR;
typedef struct {
  const char *name;
  unsigned long id;
  ...;
} SRTP_PROTECTION_PROFILE;
int SSL_do_handshake(SSL *);
int SSL_connect(SSL *);
int SSL_accept(SSL *);
int SSL_renegotiate(SSL *);
int SSL_shutdown(SSL *);
int SSL_read(SSL *, void *, int);
int SSL_peek(SSL *, void *, int);
int SSL_write(SSL *, const void *, int);
int SSL_read_early_data(SSL *, void *, size_t, size_t *);
int SSL_write_early_data(SSL *, const void *, size_t, size_t *);
int DTLSv1_listen(SSL *, BIO_ADDR *);
long DTLSv1_handle_timeout(SSL *);
int SSL_set_fd(SSL *, int);
void SSL_set_bio(SSL *, BIO *, BIO *);
void SSL_set_verify(SSL *, int, int (*)(int, X509_STORE_CTX *));
long SSL_clear_mode(SSL *, long);
long SSL_set_mode(SSL *, long);
long SSL_set_mtu(SSL *, long);
int SSL_get_fd(const SSL *);
BIO *SSL_get_rbio(const SSL *);
BIO *SSL_get_wbio(const SSL *);
int SSL_want_read(const SSL *);
int SSL_want_write(const SSL *);
struct stack_st_X509 *SSL_get_peer_cert_chain(const SSL *);
struct stack_st_X509 *SSL_get0_verified_chain(const SSL *);
X509 *SSL_get_peer_certificate(const SSL *);
const char *SSL_get0_group_name(SSL *);
long SSL_get_extms_support(SSL *);
long SSL_set1_curves_list(SSL *, const char *);
void SSL_set_info_callback(SSL *, void (*)(const SSL *, int, int));
void SSL_set_cert_cb(SSL *, int (*)(SSL *, void *), void *);
long SSL_get_tlsext_status_ocsp_resp(SSL *, const unsigned char **);
long SSL_set_tlsext_status_ocsp_resp(SSL *, unsigned char *, int);
int SSL_set_tlsext_use_srtp(SSL *, const char *);
SRTP_PROTECTION_PROFILE *SSL_get_selected_srtp_profile(SSL *);
const SSL_CIPHER *SSL_CIPHER_find(SSL *, const unsigned char *);
int SSL_extension_supported(unsigned int);
static const int TLS_ST_BEFORE;
static const int TLS_ST_OK;
int BIO_up_ref(BIO *);
BIO_ADDR *BIO_ADDR_new(void);
void BIO_ADDR_free(BIO_ADDR *);

/* contexts: a callback belongs to the program, and counts until the context's own method sets another */
const SSL_METHOD *SSLv23_method(void);
const SSL_METHOD *SSLv23_server_method(void);
const SSL_METHOD *SSLv23_client_method(void);
int SSL_CTX_use_certificate_file(SSL_CTX *, const char *, int);
int SSL_CTX_use_certificate_chain_file(SSL_CTX *, const char *);
int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
int SSL_CTX_use_psk_identity_hint(SSL_CTX *, const char *);
long SSL_CTX_set_tmp_ecdh(SSL_CTX *, EC_KEY *);
void SSL_CTX_set_info_callback(SSL_CTX *, void (*)(const SSL *, int, int));
void SSL_CTX_set_msg_callback(SSL_CTX *, void (*)(int, int, int, const void *, size_t, SSL *, void *));
long SSL_CTX_set_msg_callback_arg(SSL_CTX *, void *);
void SSL_CTX_set_keylog_callback(SSL_CTX *, void (*)(const SSL *, const char *));
SSL_CTX_keylog_cb_func SSL_CTX_get_keylog_callback(const SSL_CTX *);
void SSL_CTX_set_alpn_select_cb(SSL_CTX *,
                                int (*)(SSL *, const unsigned char **, unsigned char *,
                                        const unsigned char *, unsigned int, void *),
                                void *);
long SSL_CTX_set_tlsext_servername_callback(SSL_CTX *, int (*)(SSL *, int *, void *));
long SSL_CTX_set_tlsext_servername_arg(SSL_CTX *, void *);
long SSL_CTX_set_tlsext_status_cb(SSL_CTX *, int (*)(SSL *, void *));
long SSL_CTX_set_tlsext_status_arg(SSL_CTX *, void *);
void SSL_CTX_set_cert_cb(SSL_CTX *, int (*)(SSL *, void *), void *);
void SSL_CTX_set_cookie_generate_cb(SSL_CTX *, int (*)(SSL *, unsigned char *, unsigned int *));
void SSL_CTX_set_cookie_verify_cb(SSL_CTX *, int (*)(SSL *, const unsigned char *, unsigned int));
void SSL_CTX_set_psk_client_callback(SSL_CTX *,
                                     unsigned int (*)(SSL *, const char *, char *, unsigned int,
                                                      unsigned char *, unsigned int));
void SSL_CTX_set_psk_server_callback(SSL_CTX *, unsigned int (*)(SSL *, const char *, unsigned char *,
                                                                 unsigned int));
void SSL_CTX_set_psk_find_session_callback(SSL_CTX *, int (*)(SSL *, const unsigned char *, size_t,
                                                              SSL_SESSION **));
void SSL_CTX_set_psk_use_session_callback(SSL_CTX *, int (*)(SSL *, const EVP_MD *, const unsigned char **,
                                                             size_t *, SSL_SESSION **));
int SSL_CTX_add_client_custom_ext(SSL_CTX *, unsigned int,
                                  int (*)(SSL *, unsigned int, const unsigned char **, size_t *, int *,
                                          void *),
                                  void (*)(SSL *, unsigned int, const unsigned char *, void *), void *,
                                  int (*)(SSL *, unsigned int, const unsigned char *, size_t, int *, void *),
                                  void *);
int SSL_CTX_add_server_custom_ext(SSL_CTX *, unsigned int,
                                  int (*)(SSL *, unsigned int, const unsigned char **, size_t *, int *,
                                          void *),
                                  void (*)(SSL *, unsigned int, const unsigned char *, void *), void *,
                                  int (*)(SSL *, unsigned int, const unsigned char *, size_t, int *, void *),
                                  void *);

/* sessions */
SSL_SESSION *SSL_SESSION_new(void);
int SSL_SESSION_set1_master_key(SSL_SESSION *, const unsigned char *, size_t);
int SSL_SESSION_set_cipher(SSL_SESSION *, const SSL_CIPHER *);
int SSL_SESSION_set_protocol_version(SSL_SESSION *, int);
uint32_t SSL_SESSION_get_max_early_data(const SSL_SESSION *);

/* lists of names */
struct stack_st_X509_NAME;
struct stack_st_X509_NAME *SSL_get_client_CA_list(const SSL *);
struct stack_st_X509_NAME *SSL_load_client_CA_file(const char *);
void SSL_CTX_set_client_CA_list(SSL_CTX *, struct stack_st_X509_NAME *);
struct stack_st_X509_NAME *sk_X509_NAME_new_null(void);
int sk_X509_NAME_num(const struct stack_st_X509_NAME *);
X509_NAME *sk_X509_NAME_value(const struct stack_st_X509_NAME *, int);
int sk_X509_NAME_push(struct stack_st_X509_NAME *, X509_NAME *);
void sk_X509_NAME_free(struct stack_st_X509_NAME *);

/* verification */
int SSL_get_ex_data_X509_STORE_CTX_idx(void);
void *X509_STORE_CTX_get_ex_data(const X509_STORE_CTX *, int);
X509 *X509_STORE_CTX_get0_cert(const X509_STORE_CTX *);
struct stack_st_X509 *X509_STORE_CTX_get1_chain(const X509_STORE_CTX *);
void X509_STORE_CTX_set_error(X509_STORE_CTX *, int);
int X509_STORE_set1_param(X509_STORE *, const X509_VERIFY_PARAM *);
X509_VERIFY_PARAM *X509_VERIFY_PARAM_new(void);
void X509_VERIFY_PARAM_free(X509_VERIFY_PARAM *);
int X509_VERIFY_PARAM_set_flags(X509_VERIFY_PARAM *, unsigned long);

/* certificates and keys, from and to BIOs */
ASN1_INTEGER *X509_get_serialNumber(X509 *);
ASN1_TIME *X509_getm_notBefore(const X509 *);
ASN1_TIME *X509_getm_notAfter(const X509 *);
ASN1_TIME *X509_gmtime_adj(ASN1_TIME *, long);
X509 *d2i_X509_bio(BIO *, X509 **);
int i2d_X509_bio(BIO *, X509 *);
X509_CRL *d2i_X509_CRL_bio(BIO *, X509_CRL **);
EVP_PKEY *d2i_PUBKEY_bio(BIO *, EVP_PKEY **);
int i2d_PUBKEY_bio(BIO *, EVP_PKEY *);
EVP_PKEY *d2i_PrivateKey_bio(BIO *, EVP_PKEY **);
int i2d_PrivateKey_bio(BIO *, EVP_PKEY *);
X509 *PEM_read_bio_X509(BIO *, X509 **, int (*)(char *, int, int, void *), void *);
int PEM_write_bio_X509(BIO *, X509 *);
int PEM_write_bio_PUBKEY(BIO *, EVP_PKEY *);
int PEM_write_bio_PrivateKey(BIO *, EVP_PKEY *, const EVP_CIPHER *, unsigned char *, int,
                             int (*)(char *, int, int, void *), void *);
ASN1_TYPE *d2i_ASN1_TYPE(ASN1_TYPE **, const unsigned char **, long);
void ASN1_TYPE_free(ASN1_TYPE *);
int BIO_should_retry(BIO *);
int BIO_should_read(BIO *);
int BIO_should_write(BIO *);
int BIO_should_io_special(BIO *);
long BIO_set_mem_eof_return(BIO *, int);
void *OPENSSL_malloc(size_t);

/* keys as pyOpenSSL's earlier releases made them, and numbers */
typedef ... RSA;
typedef ... DSA;
typedef ... BN_GENCB;
typedef ... BN_CTX;
static const int EVP_PKEY_DHX;
int EVP_PKEY_type(int);
int EVP_PKEY_assign_RSA(EVP_PKEY *, RSA *);
RSA *EVP_PKEY_get1_RSA(EVP_PKEY *);
int EVP_PKEY_set1_DSA(EVP_PKEY *, DSA *);
RSA *RSA_new(void);
void RSA_free(RSA *);
int RSA_generate_key_ex(RSA *, int, BIGNUM *, BN_GENCB *);
int RSA_check_key(const RSA *);
int RSA_print(BIO *, const RSA *, int);
DSA *DSA_new(void);
void DSA_free(DSA *);
int DSA_generate_key(DSA *);
int DSA_generate_parameters_ex(DSA *, int, const unsigned char *, int, int *, unsigned long *, BN_GENCB *);
BIGNUM *BN_new(void);
int BN_set_word(BIGNUM *, uint64_t);
char *BN_bn2hex(const BIGNUM *);
int BN_hex2bn(BIGNUM **, const char *);
int BN_rand_range(BIGNUM *, const BIGNUM *);
int BN_generate_prime_ex(BIGNUM *, int, int, const BIGNUM *, const BIGNUM *, BN_GENCB *);
int BN_is_prime_ex(const BIGNUM *, int, BN_CTX *, BN_GENCB *);
int BN_prime_checks_for_size(int);

/* PKCS#7 messages, as programs sign and verify them */
static const int PKCS7_TEXT, PKCS7_NOCERTS, PKCS7_NOSIGS, PKCS7_NOCHAIN, PKCS7_NOINTERN, PKCS7_NOVERIFY;
static const int PKCS7_DETACHED, PKCS7_BINARY, PKCS7_NOATTR, PKCS7_NOSMIMECAP, PKCS7_STREAM;
PKCS7 *d2i_PKCS7_bio(BIO *, PKCS7 **);
int i2d_PKCS7_bio(BIO *, PKCS7 *);
PKCS7 *PEM_read_bio_PKCS7(BIO *, PKCS7 **, int (*)(char *, int, int, void *), void *);
int PEM_write_bio_PKCS7(BIO *, PKCS7 *);
PKCS7 *SMIME_read_PKCS7(BIO *, BIO **);
int SMIME_write_PKCS7(BIO *, PKCS7 *, BIO *, int);
int PKCS7_final(PKCS7 *, BIO *, int);
struct stack_st_X509 *PKCS7_get0_signers(PKCS7 *, struct stack_st_X509 *, int);
