/* Extensions from text. */
#include "oi.h"

X509_EXTENSION *oi_extension(const char *name, const char *value, X509 *subject, X509 *issuer,
                             X509_REQ *request)
{
  X509V3_CTX context;
  X509_EXTENSION *extension = NULL;
  CONF *config = NCONF_new(NULL);
  BIO *empty = BIO_new_mem_buf("\n", 1);
  long line = 0;

  /* A CONF into which nothing was ever loaded has no table to look sections up
   * in, and OpenSSL does not check for that. */
  if (config && empty && NCONF_load_bio(config, empty, &line) > 0) {
    X509V3_set_ctx(&context, issuer, subject, request, NULL, 0);
    X509V3_set_nconf(&context, config);
    extension = X509V3_EXT_nconf(config, &context, (char *)name, (char *)value);
  }
  BIO_free(empty);
  NCONF_free(config);
  return extension;
}
