"""How shares of an objective become one gradient: every collective of the system lives in this folder."""
