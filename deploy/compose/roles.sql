-- Who owns the log, who appends, who reads, who erases what is sealed: four who are not each other.
CREATE ROLE log_owner LOGIN;
CREATE ROLE log_writer LOGIN;
CREATE ROLE log_reader LOGIN;
CREATE ROLE log_redactor LOGIN;
ALTER DATABASE audit OWNER TO log_owner;
