-- The image of PostgreSQL runs this once, in the new database. The site's role owns it, may create another one, as a
-- restore does, and has no other rights: an SQL injection of a superuser could run programs.
\getenv password POSTGRES_PASSWORD
CREATE ROLE site LOGIN CREATEDB PASSWORD :'password';
ALTER DATABASE site OWNER TO site;
-- The superuser logs in without a password inside the container, and from nowhere else.
ALTER ROLE postgres PASSWORD NULL;
