"""Makes storyboards: a script and a cast become shots for films of a target model.

A model proposes what is seen in each shot; code guarantees the rest. `script_task` reads the
request, `prompts.shot_seconds` shares out the time, `script_parts` says which part of the script
belongs to which shot, `cast_words` and `camera_moves` see to descriptions and to one move a shot.
`shot_rules` asks a model and `shot_replies` reads what it wrote, `shot_choices` does both for a
small model; `shot_making` checks and repairs each shot, `shot_forms` renders them, and
`storyboarder` makes the calls.
"""
