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
