/* What the binding's own C shares.  Nothing here or in any file beside it may
 * include Python.h: the module uses the limited API, and the same C serves
 * PyPy. */
#ifndef OI_H
#define OI_H

/* The binding supports OpenSSL 1.1.1, where some of what we use today's names
 * for was not deprecated yet; warnings about that help nobody here. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/dh.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/opensslv.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#else
/* so that prototypes of what OpenSSL 3.0 brought can be declared */
typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;
typedef struct ossl_provider_st OSSL_PROVIDER;
#endif

/* ---- errors.c ---------------------------------------------------------- */

#define OI_ERRORS_MAX 16

typedef struct {
  unsigned long code;
  char function[64];
  char data[192];
} oi_error;

/* The thread's error queue, taken out oldest first. */
typedef struct {
  int count;
  oi_error item[OI_ERRORS_MAX];
} oi_errors;

void oi_drain_errors(oi_errors *into);

/* Leave "NAME needs REQUIREMENT, this is OpenSSL X" in the error queue. */
void oi_missing(const char *name, const char *requirement);

/* Leave the error that the engine's own connection is not for the caller of NAME. */
void oi_refuse(const char *name);
int oi_was_refused(void);

/* ---- passphrase.c ------------------------------------------------------ */

typedef struct {
  const char *data; /* NULL: refuse */
  int size;
  int asked; /* set when OpenSSL has asked */
} oi_passphrase;

/* A pem_password_cb; userdata is an oi_passphrase, or NULL to refuse. */
int oi_passphrase_answer(char *buffer, int size, int writing, void *userdata);

/* Decrypt a block of PEM in its place, as PEM_do_header(3), but with the very
 * cipher that is given; the size of what was in it, or -1. */
int oi_open_pem(const EVP_CIPHER *cipher, const unsigned char *vector, int vector_size,
                const unsigned char *passphrase, int passphrase_size, unsigned char *data, int size);

/* ---- extension.c ------------------------------------------------------- */

/* An extension from OpenSSL's config syntax (x509v3_config(5)), with no config
 * file behind it: a reference to a section is an error. */
X509_EXTENSION *oi_extension(const char *name, const char *value, X509 *subject, X509 *issuer,
                             X509_REQ *request);

/* ---- pkcs.c ------------------------------------------------------------ */

#ifndef ERR_R_UNSUPPORTED /* before 3.0 there is nothing that is known and yet missing */
#define ERR_R_UNSUPPORTED 0
#endif

const ASN1_OBJECT *oi_pkcs7_type(const PKCS7 *message);
int oi_pkcs7_complete(const PKCS7 *message);
int oi_pkcs7_digests_typed(PKCS7 *message);
STACK_OF(X509) *oi_pkcs7_certificates(const PKCS7 *message);
ASN1_STRING *oi_spki_challenge(NETSCAPE_SPKI *spki);
const X509_PUBKEY *oi_spki_pubkey(const NETSCAPE_SPKI *spki);
const X509_ALGOR *oi_spki_algorithm(const NETSCAPE_SPKI *spki);
void oi_certificates_free(STACK_OF(X509) *certificates);
void oi_pkcs7s_free(STACK_OF(PKCS7) *messages);
void oi_bags_free(STACK_OF(PKCS12_SAFEBAG) *bags);
int oi_pkcs12_complete(const unsigned char *file, long size);
const ASN1_STRING *oi_bag_attribute(const PKCS12_SAFEBAG *bag, int nid, int type);

/* How many rounds of key derivation a passphrase would be put through. */
long oi_pkcs12_mac_work(PKCS12 *file);
long oi_bag_work(const PKCS12_SAFEBAG *bag);
long oi_pkcs7_work(const PKCS7 *message);

#endif
