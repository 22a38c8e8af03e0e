/* Looking into PKCS#7 and PKCS#12 before OpenSSL does.
 *
 * The standards make optional what OpenSSL's functions take for granted, and
 * not every OpenSSL in use checks for it: a message without content, a digest
 * or a name of another type than the usual one.  What is asked here keeps such
 * input away from those functions.  The other thing asked is how much work a
 * file demands before anybody knows whether its passphrase is right. */
#include "oi.h"

#include <limits.h>

/* ---- PKCS#7 ------------------------------------------------------------ */

const ASN1_OBJECT *oi_pkcs7_type(const PKCS7 *message)
{
  return message->type;
}

/* Whether the content that the message's type announces is there.  The signed
 * content itself may be absent: it is detached then. */
int oi_pkcs7_complete(const PKCS7 *message)
{
  if (!message->d.ptr)
    return 0;
  switch (OBJ_obj2nid(message->type)) {
  case NID_pkcs7_signed:
    return message->d.sign->contents != NULL;
  case NID_pkcs7_enveloped:
    return message->d.enveloped->enc_data != NULL;
  case NID_pkcs7_signedAndEnveloped:
    return message->d.signed_and_enveloped->enc_data != NULL;
  case NID_pkcs7_digest:
    return message->d.digest->contents != NULL;
  case NID_pkcs7_encrypted:
    return message->d.encrypted->enc_data != NULL && message->d.encrypted->enc_data->enc_data != NULL;
  default:
    return 1;
  }
}

/* Whether every signer's message digest, where there is one, is an octet string. */
int oi_pkcs7_digests_typed(PKCS7 *message)
{
  STACK_OF(PKCS7_SIGNER_INFO) *signers = PKCS7_get_signer_info(message);
  const ASN1_TYPE *digest;
  int index;

  for (index = 0; index < sk_PKCS7_SIGNER_INFO_num(signers); index++) {
    digest = PKCS7_get_signed_attribute(sk_PKCS7_SIGNER_INFO_value(signers, index),
                                        NID_pkcs9_messageDigest);
    if (digest && digest->type != V_ASN1_OCTET_STRING)
      return 0;
  }
  return 1;
}

/* The certificates that a complete message carries; NULL if none; the message's own. */
STACK_OF(X509) *oi_pkcs7_certificates(const PKCS7 *message)
{
  switch (OBJ_obj2nid(message->type)) {
  case NID_pkcs7_signed:
    return message->d.sign->cert;
  case NID_pkcs7_signedAndEnveloped:
    return message->d.signed_and_enveloped->cert;
  default:
    return NULL;
  }
}

/* ---- SPKI -------------------------------------------------------------- */

/* The object's own; always there, since the standard does not make it optional. */
ASN1_STRING *oi_spki_challenge(NETSCAPE_SPKI *spki)
{
  return spki->spkac->challenge;
}

const X509_PUBKEY *oi_spki_pubkey(const NETSCAPE_SPKI *spki)
{
  return spki->spkac->pubkey;
}

const X509_ALGOR *oi_spki_algorithm(const NETSCAPE_SPKI *spki)
{
  return &spki->sig_algor;
}

/* ---- PKCS#12 ----------------------------------------------------------- */

void oi_certificates_free(STACK_OF(X509) *certificates)
{
  sk_X509_pop_free(certificates, X509_free);
}

void oi_pkcs7s_free(STACK_OF(PKCS7) *messages)
{
  sk_PKCS7_pop_free(messages, PKCS7_free);
}

void oi_bags_free(STACK_OF(PKCS12_SAFEBAG) *bags)
{
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

/* Whether the file, which has been decoded without an error, has its content:
 * its second element (after the version) is a complete message of type data.
 * PKCS12 is opaque, so that it cannot be asked. */
int oi_pkcs12_complete(const unsigned char *file, long size)
{
  STACK_OF(ASN1_TYPE) *elements = d2i_ASN1_SEQUENCE_ANY(NULL, &file, size);
  ASN1_TYPE *content = sk_ASN1_TYPE_num(elements) > 1 ? sk_ASN1_TYPE_value(elements, 1) : NULL;
  PKCS7 *message = NULL;
  const unsigned char *data;
  int complete = 0;

  if (content && content->type == V_ASN1_SEQUENCE) {
    data = ASN1_STRING_get0_data(content->value.sequence);
    message = d2i_PKCS7(NULL, &data, ASN1_STRING_length(content->value.sequence));
    complete = message && PKCS7_type_is_data(message) && oi_pkcs7_complete(message);
  }
  PKCS7_free(message);
  sk_ASN1_TYPE_pop_free(elements, ASN1_TYPE_free);
  return complete;
}

/* An attribute of the bag, if it is there and of that type; the bag's own. */
const ASN1_STRING *oi_bag_attribute(const PKCS12_SAFEBAG *bag, int nid, int type)
{
  const ASN1_TYPE *value = PKCS12_SAFEBAG_get0_attr(bag, nid);

  return value && value->type == type ? value->value.asn1_string : NULL;
}

/* ---- the work that a passphrase costs ---------------------------------- */

static long number(const ASN1_INTEGER *integer)
{
  long value = ASN1_INTEGER_get(integer); /* -1: more than a long holds */

  return value < 0 ? LONG_MAX : value;
}

static const ASN1_STRING *parameters(const X509_ALGOR *algorithm, int *nid)
{
  const ASN1_OBJECT *object;
  const void *value;
  int type;

  X509_ALGOR_get0(&object, &type, &value, algorithm);
  *nid = OBJ_obj2nid(object);
  return type == V_ASN1_SEQUENCE ? value : NULL;
}

static long pbkdf2_work(PBKDF2PARAM *pbkdf2)
{
  long work = pbkdf2 ? number(pbkdf2->iter) : 0;

  PBKDF2PARAM_free(pbkdf2);
  return work;
}

#ifndef OPENSSL_NO_SCRYPT
static long scrypt_work(SCRYPT_PARAMS *scrypt)
{
  /* OpenSSL bounds the memory, which leaves no product of these out of range. */
  double work = 0;

  if (scrypt)
    work = (double)number(scrypt->costParameter) * (double)number(scrypt->blockSize) *
           (double)number(scrypt->parallelizationParameter);
  SCRYPT_PARAMS_free(scrypt);
  return work < INT_MAX ? (long)work : LONG_MAX;
}
#endif

/* PBES2 in PBES2 is not followed: OpenSSL refuses it. */
static long kdf_work(const X509_ALGOR *algorithm)
{
  int nid;
  const ASN1_STRING *packed = parameters(algorithm, &nid);

  if (packed && nid == NID_id_pbkdf2)
    return pbkdf2_work(ASN1_item_unpack(packed, ASN1_ITEM_rptr(PBKDF2PARAM)));
#ifndef OPENSSL_NO_SCRYPT
  if (packed && nid == NID_id_scrypt)
    return scrypt_work(ASN1_item_unpack(packed, ASN1_ITEM_rptr(SCRYPT_PARAMS)));
#endif
  return 0;
}

/* How many rounds a password based algorithm takes; 0 if it says nothing that
 * OpenSSL would follow. */
static long pbe_work(const X509_ALGOR *algorithm)
{
  int nid;
  const ASN1_STRING *packed = parameters(algorithm, &nid);
  PBE2PARAM *pbes2;
  PBEPARAM *pbes1;
  long work = 0;

  if (packed && nid == NID_pbes2) {
    pbes2 = ASN1_item_unpack(packed, ASN1_ITEM_rptr(PBE2PARAM));
    if (pbes2)
      work = kdf_work(pbes2->keyfunc);
    PBE2PARAM_free(pbes2);
  } else if (packed) {
    pbes1 = ASN1_item_unpack(packed, ASN1_ITEM_rptr(PBEPARAM));
    if (pbes1)
      work = number(pbes1->iter);
    PBEPARAM_free(pbes1);
  }
  return work;
}

long oi_pkcs12_mac_work(PKCS12 *file)
{
  const ASN1_OCTET_STRING *mac, *salt;
  const ASN1_INTEGER *rounds;
  const X509_ALGOR *algorithm;

  PKCS12_get0_mac(&mac, &algorithm, &salt, &rounds, file);
  if (!mac)
    return 0;
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
  {
    int nid;

    if (parameters(algorithm, &nid) && nid == NID_pbmac1)
      return pbkdf2_work(PBMAC1_get1_pbkdf2_param(algorithm));
  }
#endif
  return number(rounds);
}

long oi_bag_work(const PKCS12_SAFEBAG *bag)
{
  const X509_SIG *shrouded = PKCS12_SAFEBAG_get0_pkcs8(bag);
  const X509_ALGOR *algorithm;

  if (!shrouded)
    return 0;
  X509_SIG_get0(shrouded, &algorithm, NULL);
  return pbe_work(algorithm);
}

/* Of a complete message of type encrypted. */
long oi_pkcs7_work(const PKCS7 *message)
{
  return pbe_work(message->d.encrypted->enc_data->algorithm);
}
