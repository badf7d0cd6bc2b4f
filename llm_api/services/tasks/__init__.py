"""Work that outlives requests and processes: `engine` claims tasks, and has them worked on."""
