from django import forms

from directory.models import Entry, Leave

HR_ONLY = ["salary_band", "manager", "vacation_days"]


class EntryForm(forms.ModelForm):
    class Meta:
        model = Entry
        fields = [
            "name",
            "job",
            "department",
            "phone",
            "address",
            "birthday",
            "public",
            "about",
            "salary_band",
            "manager",
            "vacation_days",
        ]
        widgets = {"birthday": forms.DateInput(attrs={"type": "date"})}

    def __init__(self, *args, is_hr=False, **kwargs):
        super().__init__(*args, **kwargs)
        if not is_hr:
            for name in HR_ONLY:
                self.fields[name].widget.attrs["readonly"] = True
                self.fields[name].help_text = "Ask HR to change this."


class ImportForm(forms.Form):
    file = forms.FileField(
        label="CSV file", help_text="Columns: email, name, department, phone, birthday, band"
    )


class LeaveForm(forms.ModelForm):
    class Meta:
        model = Leave
        fields = ["kind", "start", "end", "reason"]
        widgets = {
            "start": forms.DateInput(attrs={"type": "date"}),
            "end": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(self, *args, entry, **kwargs):
        super().__init__(*args, **kwargs)
        self.entry = entry

    def clean(self):
        data = super().clean()
        if data.get("start") and data.get("end") and data["kind"] == Leave.Kind.VACATION:
            days = (data["end"] - data["start"]).days + 1
            if days > self.entry.vacation_days:
                left = self.entry.vacation_days
                raise forms.ValidationError(f"You have only {left} days of vacation left.")
        return data


class ContactForm(forms.Form):
    name = forms.CharField(max_length=80)
    email = forms.EmailField()
    subject = forms.CharField(max_length=120)
    message = forms.CharField(widget=forms.Textarea, max_length=5000)
