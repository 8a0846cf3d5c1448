"""The shipped proxy writes nothing down of what directory services ask for: their filters name people."""

import re

from testbed.node import PROJECT


def test_the_shipped_proxy_logs_no_address_below_scim():
    text = (PROJECT / "deploy" / "nginx" / "sdkportal.conf").read_text()
    block = re.search(r"location /scim/ \{(.*?)\}", text, re.DOTALL)[1]
    assert "access_log off;" in block
    assert "error_log /dev/null emerg;" in block
    assert "proxy_set_header X-Real-IP $remote_addr;" in block
