/* Keys, digests and ciphers by name. */
int OBJ_txt2nid(const char *);
int OBJ_obj2nid(const ASN1_OBJECT *);
int OBJ_sn2nid(const char *);
const char *OBJ_nid2sn(int);
const char *OBJ_nid2ln(int);
int OBJ_obj2txt(char *, int, const ASN1_OBJECT *, int);
static const int NID_undef;

const EVP_MD *EVP_get_digestbyname(const char *);
const EVP_CIPHER *EVP_get_cipherbyname(const char *);
const char *EVP_CIPHER_name(const EVP_CIPHER *);
static const int EVP_MAX_MD_SIZE;

EVP_PKEY *EVP_PKEY_new(void);
void EVP_PKEY_free(EVP_PKEY *);
int EVP_PKEY_up_ref(EVP_PKEY *);
int EVP_PKEY_bits(const EVP_PKEY *);
int EVP_PKEY_size(const EVP_PKEY *);
int EVP_PKEY_id(const EVP_PKEY *);
int EVP_PKEY_base_id(const EVP_PKEY *);
int EVP_PKEY_get_default_digest_nid(EVP_PKEY *, int *);
int EVP_PKEY_print_private(BIO *, const EVP_PKEY *, int, void *);
int EVP_PKEY_print_public(BIO *, const EVP_PKEY *, int, void *);

EVP_PKEY_CTX *EVP_PKEY_CTX_new(EVP_PKEY *, void *);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_id(int, void *);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *);
int EVP_PKEY_CTX_ctrl_str(EVP_PKEY_CTX *, const char *, const char *);
int EVP_PKEY_keygen_init(EVP_PKEY_CTX *);
int EVP_PKEY_keygen(EVP_PKEY_CTX *, EVP_PKEY **);
int EVP_PKEY_paramgen_init(EVP_PKEY_CTX *);
int EVP_PKEY_paramgen(EVP_PKEY_CTX *, EVP_PKEY **);
int EVP_PKEY_check(EVP_PKEY_CTX *);
void EVP_PKEY_CTX_set_cb(EVP_PKEY_CTX *, int (*)(EVP_PKEY_CTX *));
extern "Python" int oi_keygen_progress(EVP_PKEY_CTX *);

EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *);
int EVP_DigestSignInit(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, void *, EVP_PKEY *);
int EVP_DigestSign(EVP_MD_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
int EVP_DigestVerifyInit(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, void *, EVP_PKEY *);
int EVP_DigestVerify(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);

typedef struct {
  int nid;
  const char *comment;
} EC_builtin_curve;
size_t EC_get_builtin_curves(EC_builtin_curve *, size_t);
const char *EC_curve_nid2nist(int);
int EC_curve_nist2nid(const char *);

/* encodings */
typedef ... PKCS8_PRIV_KEY_INFO;
typedef ... X509_SIG;
PKCS8_PRIV_KEY_INFO *EVP_PKEY2PKCS8(const EVP_PKEY *);
void PKCS8_PRIV_KEY_INFO_free(PKCS8_PRIV_KEY_INFO *);
X509_SIG *d2i_X509_SIG(X509_SIG **, const unsigned char **, long);
X509_SIG *PKCS8_encrypt(int, const EVP_CIPHER *, const char *, int, unsigned char *, int, int,
                        PKCS8_PRIV_KEY_INFO *);
int i2d_X509_SIG(const X509_SIG *, unsigned char **);
void X509_SIG_free(X509_SIG *);
int i2d_PKCS8_PRIV_KEY_INFO(const PKCS8_PRIV_KEY_INFO *, unsigned char **);
int i2d_PrivateKey(EVP_PKEY *, unsigned char **);
int i2d_PUBKEY(EVP_PKEY *, unsigned char **);
EVP_PKEY *d2i_PUBKEY(EVP_PKEY **, const unsigned char **, long);
EVP_PKEY *d2i_AutoPrivateKey(EVP_PKEY **, const unsigned char **, long);
EVP_PKEY *d2i_PKCS8PrivateKey_bio(BIO *, EVP_PKEY **, int (*)(char *, int, int, void *), void *);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *, EVP_PKEY **, int (*)(char *, int, int, void *), void *);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *, EVP_PKEY **, int (*)(char *, int, int, void *), void *);
int PEM_write_bio(BIO *, const char *, const char *, const unsigned char *, long);
int PEM_read_bio(BIO *, char **, char **, unsigned char **, long *);
int PEM_bytes_read_bio(unsigned char **, long *, char **, const char *, BIO *,
                       int (*)(char *, int, int, void *), void *);
static const int PEM_R_NO_START_LINE;

/* passphrase.c: answers OpenSSL's questions for a passphrase; never a terminal */
typedef struct {
  const char *data;
  int size;
  int asked;
} oi_passphrase;
int oi_passphrase_answer(char *, int, int, void *);
int oi_open_pem(const EVP_CIPHER *, const unsigned char *, int, const unsigned char *, int, unsigned char *, int);
