"""An SFTP server of asyncssh's in a thread of its own, whose faults a test chooses."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import asyncssh


class SftpServer:
    """Serves one directory to the public key with the fingerprint `allowed`.

    `faults` names what goes wrong while it is in there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.faults: set[str] = set()
        self.allowed = ""
        self.port = 0
        self.logins = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._acceptor: Any = None
        self.start()

    @property
    def fingerprint(self) -> str:
        return self.host_key.get_fingerprint()

    def start(self) -> None:
        self._acceptor = self._do(self._listen())
        self.port = self._acceptor.get_port()

    def restart_with(self, host_key: asyncssh.SSHKey) -> None:
        """The same address with another host key."""
        self._do(self._close())
        self.host_key = host_key
        self.start()

    def stop(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> Any:
        outer = self

        class Login(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return "no login" not in outer.faults

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                outer.logins += 1
                return username == "sdk" and key.get_fingerprint() == outer.allowed

        class Files(asyncssh.SFTPServer):
            def __init__(self, chan: Any) -> None:
                super().__init__(chan, chroot=str(outer.root))

            async def write(self, file_obj: object, offset: int, data: bytes) -> int:
                if "full disk" in outer.faults:
                    raise asyncssh.SFTPFailure("no space")
                if "half" in outer.faults:
                    data = data[: len(data) // 2]
                if "slow" in outer.faults:
                    await asyncio.sleep(60)
                return super().write(file_obj, offset, data)  # type: ignore[return-value]

            def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
                if "no posix rename" in outer.faults:
                    raise asyncssh.SFTPOpUnsupported("no")
                super().posix_rename(oldpath, newpath)

        return await asyncssh.listen(
            "127.0.0.1",
            self.port,
            reuse_address=True,
            server_host_keys=[self.host_key],
            server_factory=Login,
            sftp_factory=Files,
            config=None,
        )

    async def _close(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)
