#pragma once

// A server's operator, accounts and one user, as NATS makes them with JWTs: for tests alone, made
// of keys that are the SHA-256 of their names, and good for ever.

#include <string>

namespace jwt {

inline const std::string operator_jwt =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3NjQyODgwMDAsImlzcyI6Ik9CNlc2N"
    "VlMWFczUkpMTEhDSkpVTE5BRVZVTUFHN0tJSEtWVjNXVTVETEFNTlZQSEQ0Q1dQNjZSIiwibmFtZSI6InRlc3QiL"
    "CJzdWIiOiJPQjZXNjVZTFhXM1JKTExIQ0pKVUxOQUVWVU1BRzdLSUhLVlYzV1U1RExBTU5WUEhENENXUDY2UiIsI"
    "m5hdHMiOnsidHlwZSI6Im9wZXJhdG9yIiwidmVyc2lvbiI6Miwic3lzdGVtX2FjY291bnQiOiJBRElMWUNPUVJZN"
    "EQ1WVQ1S1pGM01FNE1WVzIzTzVSTFM2MkNRQVRRSjJUQlFIRzVXTFI2Nkc2SCJ9LCJqdGkiOiJVWUU1VzcyRFBZM"
    "1lPTEU1SVJJUFEyWjJST1lJMjVLUVdRRVpBTUpOM1dDR0JVUE5DQUlRIn0.dicRTqGO4g1hJzKxMfmZgL_dExIHA"
    "Kumu3UXOJMjeY5AJmYBE8KifFSHpua_sKogZos8ayzUBoPxEKbGVMGqDQ";
inline const std::string account = "ABHFAMQT76CRSOICASELTXWRXC6RLOLCXLNO4VLM3UIWY2RZA37PR37F";
inline const std::string account_jwt =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3NjQyODgwMDAsImlzcyI6Ik9CNlc2N"
    "VlMWFczUkpMTEhDSkpVTE5BRVZVTUFHN0tJSEtWVjNXVTVETEFNTlZQSEQ0Q1dQNjZSIiwibmFtZSI6ImFwcCIsI"
    "nN1YiI6IkFCSEZBTVFUNzZDUlNPSUNBU0VMVFhXUlhDNlJMT0xDWExOTzRWTE0zVUlXWTJSWkEzN1BSMzdGIiwib"
    "mF0cyI6eyJsaW1pdHMiOnsic3VicyI6LTEsImRhdGEiOi0xLCJwYXlsb2FkIjotMSwiaW1wb3J0cyI6LTEsImV4c"
    "G9ydHMiOi0xLCJ3aWxkY2FyZHMiOnRydWUsImNvbm4iOi0xLCJsZWFmIjotMSwibWVtX3N0b3JhZ2UiOi0xLCJka"
    "XNrX3N0b3JhZ2UiOi0xLCJzdHJlYW1zIjotMSwiY29uc3VtZXIiOi0xfSwidHlwZSI6ImFjY291bnQiLCJ2ZXJza"
    "W9uIjoyfSwianRpIjoiTlJQVFVDVVZXSFJHUUZKRElJNlFTQTNCSklRRTJXSEhCSEtOUVRORU1WQlBEQjRHVzZTU"
    "SJ9.1nivYjfOwhx9uizh2lrcKHujT6ylxHx9NPsfwLW9XyFdcFEG5YtE5P5Sw_t5fh-u9cUl_TBCWLPoC6jRGxcQ"
    "Cg";
inline const std::string system = "ADILYCOQRY4D5YT5KZF3ME4MVW23O5RLS62CQATQJ2TBQHG5WLR66G6H";
inline const std::string system_jwt =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3NjQyODgwMDAsImlzcyI6Ik9CNlc2N"
    "VlMWFczUkpMTEhDSkpVTE5BRVZVTUFHN0tJSEtWVjNXVTVETEFNTlZQSEQ0Q1dQNjZSIiwibmFtZSI6InN5c3Rlb"
    "SIsInN1YiI6IkFESUxZQ09RUlk0RDVZVDVLWkYzTUU0TVZXMjNPNVJMUzYyQ1FBVFFKMlRCUUhHNVdMUjY2RzZII"
    "iwibmF0cyI6eyJsaW1pdHMiOnsic3VicyI6LTEsImRhdGEiOi0xLCJwYXlsb2FkIjotMSwiaW1wb3J0cyI6LTEsI"
    "mV4cG9ydHMiOi0xLCJ3aWxkY2FyZHMiOnRydWUsImNvbm4iOi0xLCJsZWFmIjotMX0sInR5cGUiOiJhY2NvdW50I"
    "iwidmVyc2lvbiI6Mn0sImp0aSI6IllFUlFYTU43S1FOMzRQSElTUERETlJKQlQzVkpONDNNUlE3VkszQUxSR01JU"
    "llNWkJLSkEifQ.euydlTNAoMY8BWrhrBrwET83XNNy5hg02vgXnwws2x5-FQ6g01xaTwF78we6Z1x634AqkESNYt"
    "hhSDOgT6NTBA";
inline const std::string user_jwt =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJpYXQiOjE3NjQyODgwMDAsImlzcyI6IkFCSEZBT"
    "VFUNzZDUlNPSUNBU0VMVFhXUlhDNlJMT0xDWExOTzRWTE0zVUlXWTJSWkEzN1BSMzdGIiwibmFtZSI6ImFwcCIsI"
    "nN1YiI6IlVCM0tOSFlEUzNYVksyS1lEUU5JUzJFNUlKV1IyQVROUlg3WEVPM0lCQUg2SlRHU05LUFdDRDc1Iiwib"
    "mF0cyI6eyJzdWJzIjotMSwiZGF0YSI6LTEsInBheWxvYWQiOi0xLCJ0eXBlIjoidXNlciIsInZlcnNpb24iOjJ9L"
    "CJqdGkiOiJUMklYSFJDVUxBT0hNSUZUUVZDU0FWU0IzUUhBR0dLS1hDUElHUlpCNFZTWDNQMkJKQ0xRIn0.j9ex1"
    "eypd8ziitOuP_-nHxNHv59ZeWzOcDSqDWOtCbPEuQ0w5G4CjnojKoqHt-hSCjmmZoljUJsjauaDdNZbDg";
inline const std::string user_seed = "SUAB4FIECEJI5IBZWSRLDLXSXSPUQ3T4FP7W764R5HY2LGHGCTGHZG3DSY";

inline std::string server_config() {
  std::string config = "operator: \"" + operator_jwt + "\"\nsystem_account: " + system;
  config += "\nresolver: MEMORY\nresolver_preload: { " + account + ": \"" + account_jwt;
  config += "\", " + system + ": \"" + system_jwt + "\" }\n";
  return config;
}

inline std::string creds() {
  return "-----BEGIN NATS USER JWT-----\n" + user_jwt +
         "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n" + user_seed +
         "\n------END USER NKEY SEED------\n";
}

}  // namespace jwt
