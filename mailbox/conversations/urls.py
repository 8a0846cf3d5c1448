"""What is done on a conversation."""

from django.urls import path

from .views import assignment, notes_and_labels, reassignment

urlpatterns = [
    path("konversation/<int:conversation_id>/atgard", assignment.act, name="act"),
    path("konversation/<int:conversation_id>/angra", assignment.undo, name="undo"),
    path("konversation/<int:conversation_id>/overlamna", reassignment.reassign, name="reassign"),
    path("konversation/<int:conversation_id>/anteckning", notes_and_labels.note, name="note"),
    path("konversation/<int:conversation_id>/etiketter", notes_and_labels.label, name="label"),
    path("konversation/<int:conversation_id>/narvaro", notes_and_labels.presence, name="presence"),
    path("overlamning/<int:reassignment_id>/svar", reassignment.answer, name="reassignment-answer"),
    path("anteckning/<int:note_id>/ta-bort", notes_and_labels.remove_note, name="note-remove"),
    path("brevlada/<int:mailbox_id>/etiketter", notes_and_labels.labels, name="labels"),
    path("etikett/<int:label_id>", notes_and_labels.change_label, name="label-change"),
    path("etikett/<int:label_id>/ta-bort", notes_and_labels.remove_label, name="label-remove"),
]
