"""A provider in this process, and settings of a node that people log in at by it."""

import base64
import zlib
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from mailbox.accounts.saml import configuration, own_metadata
from testbed.authorities import Authority, KeyFiles
from testbed.register import Person as Citizen
from testbed.register import Register
from testbed.saml_provider import ASSIGNMENTS, Asked, SamlProvider

KARIN = "199001012385"
NODE = "https://sdk.habo.se"
HOST = {"HTTP_HOST": "localhost", "secure": True}


def files(directory, name: str) -> KeyFiles:
    """A key and its certificate, made once."""
    return Authority(directory, "saml", "http://localhost").issue(
        KeyFiles(directory / f"{name}.key", directory / f"{name}.pem"), name
    )


@pytest.fixture(scope="session")
def key_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("saml")


@pytest.fixture
def provider(settings, tmp_path, key_directory):
    """The provider, whose metadata the node has as a signed file."""
    register = Register(tmp_path / "register.json")
    register.put("people", KARIN, vars(Citizen(KARIN, "Karin Svensson")))
    one = SamlProvider(register, "https://eid.example/saml", files(key_directory, "provider"))
    ours = files(key_directory, "node")
    (tmp_path / "metadata.xml").write_text(one.metadata())
    settings.SDK_PUBLIC_URL = NODE
    settings.SDK_SAML_METADATA = str(tmp_path / "metadata.xml")
    settings.SDK_SAML_METADATA_CERTIFICATE = str(one.files.certificate)
    settings.SDK_SAML_PROVIDERS = [one.entity_id]
    settings.SDK_SAML_KEY, settings.SDK_SAML_CERTIFICATE = str(ours.key), str(ours.certificate)
    settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE = ASSIGNMENTS
    return one


class Browser:
    """What a browser does: there, choose, and back, with the cookies that it would send."""

    def __init__(self, client, provider: SamlProvider) -> None:
        self.client = client
        self.provider = provider
        self.address = ""

    def begin(self, following: str = "") -> Asked:
        given = {"provider": self.provider.entity_id, **({"next": following} if following else {})}
        answer = self.client.get("/saml/borja", given, **HOST)
        self.address = answer.headers["Location"]
        request = self.request(dict(parse_qsl(urlsplit(self.address).query)))
        metadata = etree.fromstring(own_metadata.document())
        certificate = metadata.findtext(".//{*}KeyDescriptor[@use='encryption']//{*}X509Certificate")
        return Asked(request.get("ID"), configuration.entity_id(), configuration.answer_url(), certificate)

    @staticmethod
    def request(query):
        """The request in an address."""
        return etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"]), -15))

    def bring(self, response: str, **fields: str):
        """Post a response as the provider's page does: without this site's cookies."""
        encoded = base64.b64encode(response.encode()).decode()
        answer = type(self.client)().post("/saml/svar", {"SAMLResponse": encoded, **fields}, **HOST)
        for name, morsel in answer.cookies.items():
            self.client.cookies[name] = morsel
        return answer

    def follow(self, answer):
        return self.client.get(answer.headers["Location"], follow=True, **HOST)

    def log_in(self, subject: str = KARIN, changes=None, following: str = ""):
        """The page at the end."""
        asked = self.begin(following)
        return self.follow(self.bring(self.provider.login(asked, subject, changes)))

    @property
    def is_logged_in(self) -> bool:
        return "_auth_user_id" in self.client.session


@pytest.fixture
def browser(client, provider):
    return Browser(client, provider)
