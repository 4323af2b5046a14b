"""The web server of the studio: viser on one address, without its tunnel, and with limits on uploads."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from errno import EADDRINUSE
from socket import SOCK_STREAM, getaddrinfo, socket
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.studio.photographs import MAX_BYTES

MOST_UPLOADS = 2
"""Files that a client may send at the same time."""


def import_viser() -> Any:
    """Return viser. Raises HandsError if it is not installed."""
    try:
        import viser  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise HandsError("the studio needs viser: pip install 'latent-hands[studio]'") from error
    return viser


def check_address(host: str, port: int) -> None:
    """Raise HandsError for a number that is no port, and for an address or a port that cannot be opened.

    viser's thread would end, and viser would wait for it. A port that is taken is legal.
    """
    if not 0 < port < 2**16:
        raise HandsError(f"port is {port}, but must be 1 to 65535")
    try:
        family, kind, _, _, address = getaddrinfo(host, port, type=SOCK_STREAM)[0]
        with socket(family, kind) as probe:
            probe.bind(address)
    except PermissionError as error:
        raise HandsError(f"port is {port}, which this user cannot open; give 1024 or more") from error
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) != EADDRINUSE:
            reason = getattr(error, "strerror", None) or error
            raise HandsError(f"host is {host}, which is no address of this machine: {reason}") from error


def open_server(host: str, port: int) -> Any:
    """Return a running server of viser that cannot be shared with the internet.

    If the port is taken, viser takes the next free one. Raises HandsError without viser, for an address that
    is not this machine's, and as `check_address` does.
    """
    check_address(host, port)
    try:
        with redirect_stdout(io.StringIO()):  # viser announces itself
            server = import_viser().ViserServer(host=host, port=port, label="Latent Hands", verbose=False)
    except (OSError, RuntimeError) as error:
        raise HandsError(f"no server can be opened at {host}:{port}: {error}") from error
    server.request_share_url = _refuse_sharing
    server.gui.configure_theme(show_logo=False, show_share_button=False, brand_color=(15, 118, 110))
    server.scene.set_up_direction("-y")
    server.scene.world_axes.visible = False
    return server


def limit_uploads(client: Any, refuse: Callable[[str], None]) -> None:
    """Refuse files of a client above `photographs.MAX_BYTES`, before they are in memory.

    viser has no limit of its own, so its handlers of uploads are wrapped. `refuse` is called with the reason.
    """
    messages, gui, connection = import_viser()._messages, client.gui, client._websock_connection
    start, part, files = (
        gui._handle_file_transfer_start,
        gui._handle_file_transfer_part,
        gui._current_file_upload_states,
    )

    def limited_start(client_id: int, message: Any) -> None:
        if message.size_bytes > MAX_BYTES:
            refuse(f"{message.filename} has {message.size_bytes:,} bytes; the limit is {MAX_BYTES:,}")
        elif len(files) >= MOST_UPLOADS:
            refuse(f"{message.filename} was not read: wait until the other files are")
        else:
            start(client_id, message)

    def limited_part(client_id: int, message: Any) -> None:
        file = files.get(message.transfer_uuid)
        if file is not None and file["transferred_bytes"] + len(message.content) > MAX_BYTES:
            del files[message.transfer_uuid]
            refuse(f"{file['filename']} has more bytes than it said")
        else:
            part(client_id, message)

    for kind, handler, limited in (
        (messages.FileTransferStartUpload, start, limited_start),
        (messages.FileTransferPart, part, limited_part),
    ):
        connection.unregister_handler(kind, handler)
        connection.register_handler(kind, limited)


def _refuse_sharing(*_: Any, **__: Any) -> None:
    """Do not open viser's tunnel, also if a page asks for it."""
