"""The paper's user study (supplement C): a page without a server, and what its answers say."""
