from datetime import UTC


def stamp(time):
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def write(appointments, for_doctor=False):
    """Return the appointments as an iCalendar file."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//practice//appointments//EN"]
    for appointment in appointments:
        slot = appointment.slot
        who = appointment.patient if for_doctor else slot.doctor
        lines += [
            "BEGIN:VEVENT",
            f"UID:appointment-{appointment.pk}@practice",
            f"DTSTAMP:{stamp(appointment.created_at)}",
            f"DTSTART:{stamp(slot.start)}",
            f"DTEND:{stamp(slot.end)}",
            f"SUMMARY:{who} ({slot.doctor.specialty})",
            f"DESCRIPTION:{appointment.reason}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "\r\n".join(lines) + "\r\n"
