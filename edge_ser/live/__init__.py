"""One live session: sources in, decisions out, with recording, words and enrolment."""
