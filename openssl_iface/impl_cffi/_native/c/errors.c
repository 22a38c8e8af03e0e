/* The error queue: taken out whole, and the error of a missing symbol. */
#include "oi.h"

static void copy(char *to, size_t size, const char *from)
{
  size_t n = from ? strlen(from) : 0;
  if (n >= size) {
    n = size - 1;
    while (n > 0 && ((unsigned char)from[n] & 0xC0) == 0x80)
      n--; /* never cut a UTF-8 character in half */
  }
  if (n)
    memcpy(to, from, n);
  to[n] = '\0';
}

void oi_drain_errors(oi_errors *into)
{
  const char *file, *data, *function;
  int line, flags;
  unsigned long code;

  into->count = 0;
  for (;;) {
    file = data = function = NULL;
    flags = 0;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    code = ERR_get_error_all(&file, &line, &function, &data, &flags);
#else
    code = ERR_get_error_line_data(&file, &line, &data, &flags);
    if (code)
      function = ERR_func_error_string(code);
#endif
    if (!code)
      break;
    if (into->count == OI_ERRORS_MAX)
      continue; /* the queue itself holds no more than 16 */
    into->item[into->count].code = code;
    copy(into->item[into->count].function, sizeof into->item[0].function, function);
    copy(into->item[into->count].data, sizeof into->item[0].data,
         (flags & ERR_TXT_STRING) ? data : NULL);
    into->count++;
  }
}

#define OI_REASON_MISSING 100
#define OI_REASON_ENGINE 101

static int oi_library(void)
{
  /* Two threads that come here first together load the same strings twice,
   * under two numbers: harmless. */
  static int number;
  static ERR_STRING_DATA name[] = {{0, "openssl_iface"}, {0, NULL}};
  static ERR_STRING_DATA reasons[] = {
      {0, "not in this OpenSSL"}, {0, "the connection is its engine's"}, {0, NULL}};

  if (!number) {
    int fresh = ERR_get_next_error_library();
    name[0].error = ERR_PACK(fresh, 0, 0);
    reasons[0].error = ERR_PACK(fresh, 0, OI_REASON_MISSING);
    reasons[1].error = ERR_PACK(fresh, 0, OI_REASON_ENGINE);
    ERR_load_strings(fresh, name);
    ERR_load_strings(fresh, reasons);
    number = fresh;
  }
  return number;
}

static void put(const char *name, int reason)
{
  int library = oi_library();
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  ERR_new();
  ERR_set_debug(OPENSSL_FILE, OPENSSL_LINE, name);
  ERR_set_error(library, reason, NULL);
#else
  (void)name;
  ERR_put_error(library, 0, reason, OPENSSL_FILE, OPENSSL_LINE);
#endif
}

void oi_missing(const char *name, const char *requirement)
{
  put(name, OI_REASON_MISSING);
  ERR_add_error_data(5, name, " needs ", requirement, ", this is ",
                     OpenSSL_version(OPENSSL_VERSION));
}

void oi_refuse(const char *name)
{
  put(name, OI_REASON_ENGINE);
  ERR_add_error_data(2, name, " is for an SSL of the caller's own: call the method of the connection");
}

int oi_was_refused(void)
{
  unsigned long code = ERR_peek_last_error();

  return code && ERR_GET_LIB(code) == oi_library() && ERR_GET_REASON(code) == OI_REASON_ENGINE;
}
