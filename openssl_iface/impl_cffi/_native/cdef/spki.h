/* Netscape's signed public key and challenge. */
NETSCAPE_SPKI *NETSCAPE_SPKI_new(void);
void NETSCAPE_SPKI_free(NETSCAPE_SPKI *);
NETSCAPE_SPKI *d2i_NETSCAPE_SPKI(NETSCAPE_SPKI **, const unsigned char **, long);
int i2d_NETSCAPE_SPKI(NETSCAPE_SPKI *, unsigned char **);
EVP_PKEY *NETSCAPE_SPKI_get_pubkey(NETSCAPE_SPKI *);
int NETSCAPE_SPKI_set_pubkey(NETSCAPE_SPKI *, EVP_PKEY *);
int NETSCAPE_SPKI_sign(NETSCAPE_SPKI *, EVP_PKEY *, const EVP_MD *);
int NETSCAPE_SPKI_verify(NETSCAPE_SPKI *, EVP_PKEY *);

/* pkcs.c */
ASN1_STRING *oi_spki_challenge(NETSCAPE_SPKI *);
const X509_PUBKEY *oi_spki_pubkey(const NETSCAPE_SPKI *);
const X509_ALGOR *oi_spki_algorithm(const NETSCAPE_SPKI *);
