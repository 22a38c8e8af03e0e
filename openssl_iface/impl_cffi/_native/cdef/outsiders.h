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
DH *PEM_read_bio_DHparams(BIO *, DH **, void *, void *);
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
