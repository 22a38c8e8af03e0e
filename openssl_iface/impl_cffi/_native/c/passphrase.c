/* The answer to OpenSSL's question for a passphrase: the bytes that the caller
 * has brought, or a refusal.  OpenSSL's own answer would be to read from the
 * terminal, so every reader of PEM is given this one. */
#include "oi.h"

int oi_passphrase_answer(char *buffer, int size, int writing, void *userdata)
{
  oi_passphrase *passphrase = userdata;

  (void)writing;
  if (!passphrase)
    return -1;
  passphrase->asked = 1;
  if (!passphrase->data || passphrase->size > size)
    return -1; /* never a part of it */
  if (passphrase->size)
    memcpy(buffer, passphrase->data, passphrase->size);
  return passphrase->size;
}

int oi_open_pem(const EVP_CIPHER *cipher, const unsigned char *vector, int vector_size,
                const unsigned char *passphrase, int passphrase_size, unsigned char *data, int size)
{
  unsigned char key[EVP_MAX_KEY_LENGTH], iv[EVP_MAX_IV_LENGTH];
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  int first = 0, last = 0, done = 0;

  /* The salt is the first eight bytes of the vector. */
  if (context && vector_size >= 8 && vector_size == EVP_CIPHER_iv_length(cipher)) {
    memcpy(iv, vector, vector_size);
    done = EVP_BytesToKey(cipher, EVP_md5(), iv, passphrase, passphrase_size, 1, key, NULL) > 0 &&
           EVP_DecryptInit_ex(context, cipher, NULL, key, iv) > 0 &&
           EVP_DecryptUpdate(context, data, &first, data, size) > 0 &&
           EVP_DecryptFinal_ex(context, data + first, &last) > 0;
    OPENSSL_cleanse(key, sizeof(key));
  }
  EVP_CIPHER_CTX_free(context);
  return done ? first + last : -1;
}
