/* Trust stores and the verification of chains. */
X509_STORE *X509_STORE_new(void);
void X509_STORE_free(X509_STORE *);
int X509_STORE_up_ref(X509_STORE *);
int X509_STORE_add_cert(X509_STORE *, X509 *);
int X509_STORE_add_crl(X509_STORE *, X509_CRL *);
int X509_STORE_set_flags(X509_STORE *, unsigned long);
int X509_STORE_set_purpose(X509_STORE *, int);
int X509_STORE_set_depth(X509_STORE *, int);
X509_VERIFY_PARAM *X509_STORE_get0_param(const X509_STORE *);
int X509_STORE_load_locations(X509_STORE *, const char *, const char *);
int X509_STORE_set_default_paths(X509_STORE *);

void X509_VERIFY_PARAM_set_time(X509_VERIFY_PARAM *, time_t);

X509_STORE_CTX *X509_STORE_CTX_new(void);
void X509_STORE_CTX_free(X509_STORE_CTX *);
int X509_STORE_CTX_init(X509_STORE_CTX *, X509_STORE *, X509 *, struct stack_st_X509 *);
void X509_STORE_CTX_cleanup(X509_STORE_CTX *);
int X509_STORE_CTX_get_error(const X509_STORE_CTX *);
int X509_STORE_CTX_get_error_depth(const X509_STORE_CTX *);
X509 *X509_STORE_CTX_get_current_cert(const X509_STORE_CTX *);
struct stack_st_X509 *X509_STORE_CTX_get0_chain(const X509_STORE_CTX *);
int X509_verify_cert(X509_STORE_CTX *);
const char *X509_verify_cert_error_string(long);
static const int X509_V_OK;
static const int X509_V_ERR_UNSPECIFIED;
