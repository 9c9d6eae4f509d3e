-- The image of PostgreSQL runs this once, in the new database. The site's role owns it and has no other rights: as a
-- superuser's, an SQL injection could run programs.
\getenv password POSTGRES_PASSWORD
CREATE ROLE site LOGIN PASSWORD :'password';
ALTER DATABASE site OWNER TO site;
-- The superuser logs in without a password from inside of the container, and from nowhere else.
ALTER ROLE postgres PASSWORD NULL;
