"""From what a URL asks of a list to SQL: columns, filters, order and place, understood or refused. Pure."""
