"""The pages' URL table."""

from django.urls import path

from netlab.pages.views import attendee, health, help, instructor, instructor_actions, join, metrics, operator, session, theme

urlpatterns = [
    path("", join.home, name="home"),
    path("join/", join.by_code, name="join-by-code"),
    path("join/<str:code>/", join.join, name="join"),
    path("resume/<str:token>/", join.resume, name="resume"),
    path("w/<str:workshop_id>/", attendee.labs, name="labs"),
    path("w/<str:workshop_id>/new-link/", attendee.new_link, name="new-link"),
    path("w/<str:workshop_id>/labs/<str:lab_id>/", attendee.workspace, name="workspace"),
    path("w/<str:workshop_id>/labs/<str:lab_id>/start/", attendee.start, name="start"),
    path("w/<str:workshop_id>/labs/<str:lab_id>/stop/", attendee.stop, name="stop"),
    path("sign-in/", session.sign_in, name="sign-in"),
    path("sign-out/", session.sign_out, name="sign-out"),
    path("instructor/", instructor.workshops, name="workshops"),
    path("instructor/new/", instructor.new, name="new-workshop"),
    path("instructor/w/<str:workshop_id>/", instructor.workshop, name="workshop"),
    path("instructor/w/<str:workshop_id>/settings/", instructor.change, name="change-workshop"),
    path("instructor/w/<str:workshop_id>/roster/", instructor.roster, name="roster"),
    path("instructor/w/<str:workshop_id>/screen/", instructor.screen, name="screen"),
    path("instructor/w/<str:workshop_id>/do/<str:action>/", instructor_actions.act, name="act"),
    path(
        "instructor/w/<str:workshop_id>/attendees/<int:attendee_id>/<str:action>/", instructor_actions.act_on_attendee,
        name="act-on",
    ),
    path("operator/", operator.hosts, name="hosts"),
    path("metrics", metrics.metrics, name="metrics"),
    path("help/drops/", help.drops, name="help-drops"),
    path("help/packets/", help.packets, name="help-packets"),
    path("help/traces/", help.traces, name="help-traces"),
    path("theme/", theme.choose_theme, name="choose-theme"),
    path("healthz", health.healthz, name="healthz"),
]
