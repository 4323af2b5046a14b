"""A running studio: one server, and a page for each client that connects."""

from collections.abc import Sequence
from typing import Any

from latent_hands.studio.data_set import DataSet
from latent_hands.studio.page.hosting import check_address, open_server
from latent_hands.studio.page.page import Page
from latent_hands.studio.page.shared import Shared

MOST_CLIENTS = 128
"""Clients that have a page at the same time; further ones are asked to wait."""


class Studio:
    """A server of pages.

    Args:
        runs: the runs that pages may load; the first is shown first.
        host: the address to listen on. Only this machine reaches 127.0.0.1.
        port: the port, or the next free one.
        data: the data set whose images pages may load; None without one.

    Raises HandsError without viser, for an unknown run, and for an address that cannot be used.
    """

    def __init__(
        self,
        runs: Sequence[str],
        host: str = "127.0.0.1",
        port: int = 8080,
        data: DataSet | None = None,
    ):
        check_address(host, port)
        self.shared, self.run = Shared(runs, data), runs[0]
        self.shared.instrument(self.run)
        self.pages: dict[int, Page] = {}
        self.server = open_server(host, port)
        self.shared.prepare()
        self.server.on_client_connect(self._connect)
        self.server.on_client_disconnect(self._disconnect)
        self.url = f"http://{host}:{self.server.get_port()}"

    def close(self) -> None:
        """End the server and drop all pages."""
        self.server.stop()
        self.shared.work.close()

    async def _connect(self, client: Any) -> None:
        if len(self.pages) >= MOST_CLIENTS:
            client.add_notification("The studio is full", f"It has {MOST_CLIENTS} pages; try again later.")
            return
        self.shared.work.submit(client.client_id, "page", lambda: self._open(client))

    def _open(self, client: Any) -> None:
        self.pages[client.client_id] = Page(client, self.shared, self.run)
        if client.client_id not in self.server.get_clients():  # it left while its page was made
            self._forget(client)

    async def _disconnect(self, client: Any) -> None:
        self._forget(client)

    def _forget(self, client: Any) -> None:
        page = self.pages.pop(client.client_id, None)
        if page is not None:
            page.close()
        self.shared.work.forget(client.client_id)
