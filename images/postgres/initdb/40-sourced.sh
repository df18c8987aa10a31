process_sql -c "INSERT INTO people VALUES ('Barbara Liskov', 1939)"
