/* Types that more than one part uses, and what belongs to no part alone. */
typedef ... SSL_CTX;
typedef ... SSL;
typedef ... SSL_METHOD;
typedef ... SSL_SESSION;
typedef ... SSL_CIPHER;
typedef ... BIO;
typedef ... BIO_METHOD;
typedef ... BIGNUM;
typedef ... EVP_PKEY;
typedef ... EVP_PKEY_CTX;
typedef ... EVP_MD;
typedef ... EVP_MD_CTX;
typedef ... EVP_CIPHER;
typedef ... X509;
typedef ... X509_NAME;
typedef ... X509_NAME_ENTRY;
typedef ... X509_REQ;
typedef ... X509_CRL;
typedef ... X509_REVOKED;
typedef ... X509_EXTENSION;
typedef ... X509_STORE;
typedef ... X509_STORE_CTX;
typedef ... X509_LOOKUP;
typedef ... X509_LOOKUP_METHOD;
typedef ... X509_OBJECT;
typedef ... X509_VERIFY_PARAM;
typedef ... X509_ALGOR;
typedef ... X509_PUBKEY;
typedef ... ASN1_STRING;
typedef ... ASN1_INTEGER;
typedef ... ASN1_ENUMERATED;
typedef ... ASN1_OCTET_STRING;
typedef ... ASN1_IA5STRING;
typedef ... ASN1_BIT_STRING;
typedef ... ASN1_TIME;
typedef ... ASN1_OBJECT;
typedef ... ASN1_TYPE;
typedef ... GENERAL_NAMES;
/* What programs look into: no release of pyOpenSSL gave the certificates out by a method. */
typedef struct {
  struct stack_st_X509 *cert;
  struct stack_st_X509_CRL *crl;
  ...;
} PKCS7_SIGNED;
typedef struct {
  struct stack_st_X509 *cert;
  struct stack_st_X509_CRL *crl;
  ...;
} PKCS7_SIGN_ENVELOPE;
typedef struct {
  ASN1_OBJECT *type;
  union {
    char *ptr;
    ASN1_OCTET_STRING *data;
    PKCS7_SIGNED *sign;
    PKCS7_SIGN_ENVELOPE *signed_and_enveloped;
  } d;
  ...;
} PKCS7;
typedef ... PKCS12;
typedef ... NETSCAPE_SPKI;
typedef ... NETSCAPE_SPKAC;
typedef ... OSSL_PROVIDER;
typedef ... OSSL_LIB_CTX;
typedef int... time_t;

static const long OPENSSL_VERSION_NUMBER;
static const char *const OPENSSL_VERSION_TEXT;
unsigned long OpenSSL_version_num(void);
const char *OpenSSL_version(int);
static const int OPENSSL_VERSION;
static const int OPENSSL_CFLAGS;
static const int OPENSSL_BUILT_ON;
static const int OPENSSL_PLATFORM;
static const int OPENSSL_DIR;

void OPENSSL_free(void *);
void OPENSSL_cleanse(void *, size_t);

/* the error queue; read by _errors.py alone */
typedef struct {
  unsigned long code;
  char function[64];
  char data[192];
} oi_error;
typedef struct {
  int count;
  oi_error item[16];
} oi_errors;
void oi_drain_errors(oi_errors *);
void oi_missing(const char *, const char *);
void ERR_clear_error(void);
unsigned long ERR_peek_error(void);
unsigned long ERR_peek_last_error(void);
const char *ERR_lib_error_string(unsigned long);
const char *ERR_reason_error_string(unsigned long);
int ERR_GET_LIB(unsigned long);
int ERR_GET_REASON(unsigned long);
static const int ERR_LIB_SYS;
static const int ERR_LIB_PEM;
static const int ERR_LIB_SSL;
static const int ERR_LIB_EVP;
static const int ERR_LIB_ASN1;
static const int ERR_LIB_X509;

/* memory BIOs, for reading and writing encoded objects */
BIO *BIO_new(const BIO_METHOD *);
const BIO_METHOD *BIO_s_mem(void);
BIO *BIO_new_mem_buf(const void *, int);
BIO *BIO_new_file(const char *, const char *);
int BIO_free(BIO *);
int BIO_read(BIO *, void *, int);
int BIO_write(BIO *, const void *, int);
long BIO_get_mem_data(BIO *, char **);
