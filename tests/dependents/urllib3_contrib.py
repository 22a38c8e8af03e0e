"""``urllib3.contrib.pyopenssl``: as requests' users inject it; a server of the standard library answers."""

from __future__ import annotations

import urllib3
import urllib3.contrib.pyopenssl
from common import AUTHORITY, BODY, DIRECTORY, HOST, STRANGER, done
from served import serve

urllib3.contrib.pyopenssl.inject_into_urllib3()


server = serve()
url = f"https://{HOST}:{server.server_port}"

with urllib3.PoolManager(ca_certs=str(AUTHORITY), timeout=20, retries=False) as pool:
    for _ in range(3):
        response = pool.request("GET", url)
        assert (response.status, response.data) == (200, BODY)
    assert pool.request("POST", url, body=BODY).data == BODY[::-1]
    wrapped = pool.connection_from_url(url).pool.queue[-1].sock
    assert type(wrapped).__module__ == "urllib3.contrib.pyopenssl", wrapped
    assert wrapped.version().startswith("TLSv1")
with urllib3.PoolManager(
    ca_certs=str(AUTHORITY),
    cert_file=str(DIRECTORY / "client.pem"),
    key_file=str(DIRECTORY / "client.key"),
    timeout=20,
    retries=False,
) as pool:
    assert b"client" in pool.request("GET", f"{url}/who").data
for options in ({"ca_certs": str(STRANGER)}, {"ca_certs": str(AUTHORITY), "assert_hostname": "example.com"}):
    with urllib3.PoolManager(timeout=20, retries=False, **options) as pool:
        try:
            pool.request("GET", url)
        except urllib3.exceptions.SSLError as error:
            assert "certificate verify failed" in str(error) or "doesn't match" in str(error), error
        else:
            raise AssertionError(f"accepted with {options}")
server.shutdown()
done("GET", "POST", "a client's certificate", "a stranger refused", "another name refused")
