/* The random number generator: RAND_add(3), RAND_bytes(3). */
void RAND_add(const void *, int, double);
int RAND_bytes(unsigned char *, int);
int RAND_priv_bytes(unsigned char *, int);
int RAND_status(void);
int RAND_poll(void);
