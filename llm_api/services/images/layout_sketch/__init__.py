"""The layout sketch: a picture of what the prompt's parser has understood, made without any model.

Things become shapes in their colors and numbers, at the places that the prompt gives them; quoted
text is written literally; what was not drawn is listed. It is for first steps, for the console, and
for tests that need true pictures. It is labelled as what it is, in the picture and in the answer.

`sketch_upstream` makes it an upstream like the others, `sketch_fitting` fits requests to it.
`placement` gives every shape its place, `sketch_texts` and `palette` its words and colors,
`sketch_drawing` puts the drawing together.
"""
