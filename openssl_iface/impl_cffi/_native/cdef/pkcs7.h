/* PKCS#7 messages: RFC 2315. */
PKCS7 *PKCS7_new(void);
void PKCS7_free(PKCS7 *);
PKCS7 *d2i_PKCS7(PKCS7 **, const unsigned char **, long);
int i2d_PKCS7(PKCS7 *, unsigned char **);
int PKCS7_print_ctx(BIO *, PKCS7 *, int, void *);
int PKCS7_type_is_signed(PKCS7 *);
int PKCS7_type_is_enveloped(PKCS7 *);
int PKCS7_type_is_signedAndEnveloped(PKCS7 *);
int PKCS7_type_is_data(PKCS7 *);
PKCS7 *PKCS7_sign(X509 *, EVP_PKEY *, struct stack_st_X509 *, BIO *, int);
int PKCS7_verify(PKCS7 *, struct stack_st_X509 *, X509_STORE *, BIO *, BIO *, int);
PKCS7 *PKCS7_encrypt(struct stack_st_X509 *, BIO *, const EVP_CIPHER *, int);
int PKCS7_decrypt(PKCS7 *, EVP_PKEY *, X509 *, BIO *, int);
int X509_check_private_key(const X509 *, const EVP_PKEY *);
unsigned long EVP_CIPHER_mode(const EVP_CIPHER *);
static const int EVP_CIPH_CBC_MODE;

/* pkcs.c */
const ASN1_OBJECT *oi_pkcs7_type(const PKCS7 *);
int oi_pkcs7_complete(const PKCS7 *);
int oi_pkcs7_digests_typed(PKCS7 *);
struct stack_st_X509 *oi_pkcs7_certificates(const PKCS7 *);
