/* Tokens for the house, whose clock begins at 2026-11-23T10:00:00Z. Signing needs a library that
 * this folder has no use for, so these were signed elsewhere: Ed25519, with the 32 bytes "a seed
 * that nobody would guess.." as the secret's seed.
 */
#ifndef LORRY_NOTIFICATION_TEST_TOKENS_H
#define LORRY_NOTIFICATION_TEST_TOKENS_H

#define TOKEN_JWKS                                                                                 \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\","                               \
    "\"x\":\"XcoqC9Pq1f6e9b8ItDblhVUfos4WbfYc1CO5cE8J1gE\"}]}"
#define TOKEN_ASHA "usr_01KAR00000000000000000000A"
#define TOKEN_BO "usr_01KAR00000000000000000000B"
#define TOKEN_SID "ses_01KAR000000000000000000001"
#define TOKEN_SID_LATER "ses_01KAR000000000000000000002"

/* Asha, customer, TOKEN_SID, for 15 minutes. */
#define TOKEN_OF_ASHA                                                                              \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJsb3JyeSIsImF1ZCI6I"             \
    "mxvcnJ5Iiwic3ViIjoidXNyXzAxS0FSMDAwMDAwMDAwMDAwMDAwMDAwMDBBIiwicm9sZSI6ImN1c3Rvb"             \
    "WVyIiwibmFtZSI6IkFzaGEiLCJzaWQiOiJzZXNfMDFLQVIwMDAwMDAwMDAwMDAwMDAwMDAwMDEiLCJpY"             \
    "XQiOjE3OTU0MjgwMDAsImV4cCI6MTc5NTQyODkwMH0.byxMfpCYjRGJb_GJjWXm0A67JUbwpzEDiUlVo"             \
    "UFPkPPiV_BhJ4cGh1txz_si22FVYnCPAiFubH1ConBlS7IKBA"

/* Asha, customer, TOKEN_SID_LATER, for an hour. */
#define TOKEN_OF_ASHA_LATER                                                                        \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJsb3JyeSIsImF1ZCI6I"             \
    "mxvcnJ5Iiwic3ViIjoidXNyXzAxS0FSMDAwMDAwMDAwMDAwMDAwMDAwMDBBIiwicm9sZSI6ImN1c3Rvb"             \
    "WVyIiwibmFtZSI6IkFzaGEiLCJzaWQiOiJzZXNfMDFLQVIwMDAwMDAwMDAwMDAwMDAwMDAwMDIiLCJpY"             \
    "XQiOjE3OTU0MjgwMDAsImV4cCI6MTc5NTQzMTYwMH0.YwohIel59ikUkt7N5Q_uWsd9FHFLvagyFpLfJ"             \
    "a57CshW0qFCzo1CAHhzS_TR-vMW36Nh-DN1RChauOkkkloACw"

/* Asha, but a driver, for an hour. */
#define TOKEN_OF_ASHA_AS_DRIVER                                                                    \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJsb3JyeSIsImF1ZCI6I"             \
    "mxvcnJ5Iiwic3ViIjoidXNyXzAxS0FSMDAwMDAwMDAwMDAwMDAwMDAwMDBBIiwicm9sZSI6ImRyaXZlc"             \
    "iIsIm5hbWUiOiJBc2hhIiwic2lkIjoic2VzXzAxS0FSMDAwMDAwMDAwMDAwMDAwMDAwMDAyIiwiaWF0I"             \
    "joxNzk1NDI4MDAwLCJleHAiOjE3OTU0MzE2MDB9.DGydcJ30Z01TAtZjEz8WxAleFB5SsIn3sKxeSpQP"             \
    "aqPhTjPsUeloJP5mmfiyvcRfKDGjeK2ZkmKfXLy2ypIkAA"

/* Bo, customer, for 15 minutes. */
#define TOKEN_OF_BO                                                                                \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJsb3JyeSIsImF1ZCI6I"             \
    "mxvcnJ5Iiwic3ViIjoidXNyXzAxS0FSMDAwMDAwMDAwMDAwMDAwMDAwMDBCIiwicm9sZSI6ImN1c3Rvb"             \
    "WVyIiwibmFtZSI6IkFzaGEiLCJzaWQiOiJzZXNfMDFLQVIwMDAwMDAwMDAwMDAwMDAwMDAwMDMiLCJpY"             \
    "XQiOjE3OTU0MjgwMDAsImV4cCI6MTc5NTQyODkwMH0.OuPNKcpEdeg8hK8mw9_VGds3qKUfUq6nj-QoI"             \
    "6P8jJCnYlBB7JlUHeLA0TOcD8GjJ7twfjNnILEtfJNyVst5DQ"

#endif
