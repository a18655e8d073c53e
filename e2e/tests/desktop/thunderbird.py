"""Drives two Thunderbirds: an organizer and an attendee of the same house plan a meeting by CalDAV.

Arguments: a folder for the profiles, the server's URL, then address and password of both. What the programs themselves
do (calendars, items, answers) is done by their own code, through its privileged scripting interface.
"""

import json
import os
import socket
import subprocess
import sys
import time

from marionette_driver.marionette import Marionette

# Seconds.
LIMIT = 90

PRELUDE = """
const [args, done] = [arguments[0], arguments[arguments.length - 1]];
(async () => {
  const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
  const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
  const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
  const calendar = () => cal.manager.getCalendars().find(one => one.type == "caldav");
  const mine = item => item.getAttendeeById("mailto:" + args.address);
  %s
})().then(value => done({ value }), error => done({ error: `${error}\\n${error && error.stack}` }));
"""


class Thunderbird:
    """One program with one CalDAV calendar."""

    def __init__(self, folder, url, address, password):
        self.address = address
        os.makedirs(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        preferences = {
            "marionette.port": port,
            "app.update.enabled": False,
            "calendar.integration.notify": False,
            "calendar.timezone.local": "Europe/Berlin",
            "calendar.timezone.useSystemTimezone": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "mail.provider.enabled": False,
            "mail.rights.version": 1,
            "mail.shell.checkDefaultClient": False,
            "mail.spotlight.firstRunDone": True,
            "network.proxy.type": 0,
            "toolkit.telemetry.enabled": False,
        }
        with open(os.path.join(folder, "user.js"), "w") as file:
            for name, value in preferences.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        with open(os.path.join(folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
                 "--profile", folder],
                stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HOME": folder})
        self.client = Marionette(host="127.0.0.1", port=port, socket_timeout=LIMIT)
        self.client.start_session()
        self.client.set_context("chrome")
        self.client.timeout.script = LIMIT
        self.run("""
            const uri = Services.io.newURI(args.url);
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            login.init(uri.prePath, null, "Kontor", args.address, args.password, "", "");
            await Services.logins.addLoginAsync(login);
            const account = MailServices.accounts.createAccount();
            account.incomingServer = MailServices.accounts.createIncomingServer("nobody", "Local Folders", "none");
            const identity = MailServices.accounts.createIdentity();
            identity.email = args.address;
            account.addIdentity(identity);
            const made = cal.manager.createCalendar("caldav", uri);
            made.name = "Work";
            made.setProperty("username", args.address);
            made.setProperty("cache.enabled", true);
            made.setProperty("imip.identity.key", identity.key);
            cal.manager.registerCalendar(made);
        """, url=f"{url}/dav/calendars/{address}/calendar/", password=password)

    def run(self, script, **arguments):
        """Runs a script in the program, with what it is told, and gives back what it returns."""
        said = self.client.execute_async_script(PRELUDE % script, script_args=[{**arguments, "address": self.address}])
        if "error" in said:
            raise RuntimeError(said["error"])
        return said["value"]

    def wait_for(self, uid, what, condition):
        """Refreshes until the item, or None, is as it should be."""
        end = time.monotonic() + LIMIT
        while True:
            item = self.run("""
                calendar().refresh();
                const item = await calendar().getItem(args.uid);
                return item && {
                  start: item.startDate.getInTimezone(cal.dtz.UTC).icalString,
                  status: item.status,
                  answers: Object.fromEntries(item.getAttendees().map(one => [one.id, one.participationStatus])),
                };
            """, uid=uid)
            if condition(item):
                return item
            if time.monotonic() > end:
                raise TimeoutError(f"{self.address}: {what}: {item}")
            time.sleep(0.5)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def main():
    folder, url, organizer, organizers_password, attendee, attendees_password = sys.argv[1:]
    anna = Thunderbird(os.path.join(folder, "anna"), url, organizer, organizers_password)
    ben = None
    try:
        ben = Thunderbird(os.path.join(folder, "ben"), url, attendee, attendees_password)
        guest = f"mailto:{attendee}"
        uid = "thunderbird-meeting"

        anna.run("""
            const item = new CalEvent(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT",
              "UID:" + args.uid, "DTSTART:20270303T090000Z", "DTEND:20270303T100000Z", "SUMMARY:Plan the year",
              "ORGANIZER:mailto:" + args.address, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:" + args.address,
              "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:" + args.guest, "END:VEVENT", "END:VCALENDAR", ""].join("\\r\\n"));
            await calendar().addItem(item);
        """, uid=uid, guest=guest)
        ben.wait_for(uid, "the invitation", lambda item: item and item["answers"].get(guest) == "NEEDS-ACTION")

        ben.run("""
            const old = await calendar().getItem(args.uid);
            const item = old.clone();
            const me = mine(item).clone();
            item.removeAttendee(me);
            me.participationStatus = "ACCEPTED";
            item.addAttendee(me);
            await calendar().modifyItem(item, old);
        """, uid=uid)
        anna.wait_for(uid, "the answer", lambda item: item and item["answers"].get(guest) == "ACCEPTED")

        anna.run("""
            const old = await calendar().getItem(args.uid);
            const item = old.clone();
            item.startDate = cal.createDateTime("20270304T130000Z");
            item.endDate = cal.createDateTime("20270304T140000Z");
            await calendar().modifyItem(item, old);
        """, uid=uid)
        moved = ben.wait_for(uid, "the new time", lambda item: item and item["start"] == "20270304T130000Z")
        assert moved["answers"][guest] == "NEEDS-ACTION", f"another time is another question: {moved}"

        anna.run("await calendar().deleteItem(await calendar().getItem(args.uid));", uid=uid)
        ben.wait_for(uid, "called off", lambda item: item is None or item["status"] == "CANCELLED")
        print("done")
    finally:
        anna.close()
        if ben:
            ben.close()


main()
