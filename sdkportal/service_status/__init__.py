"""The page for an organisation's helpdesk: is it us, the other side, or the federation?"""
