"""The meaning of a relay's reply: one line for each reply, with the service that sends it."""

# ruff: noqa: E501 (a reply stands on one line)

import pytest

from app.mail.smtp.replies import Outcome, Phase, Verdict, verdict_of
from app.mail.smtp.reply_text import Reply, fingerprint, without_addresses

ABOUT_US, QUOTA, EMAIL = Outcome.ABOUT_US, Outcome.QUOTA, None
"""``EMAIL``: the reply is about this email, which is refused or deferred by its code."""

REPLIES = [
    # Amazon SES
    ("454 Throttling failure: Maximum sending rate exceeded.", Phase.VERDICT, ABOUT_US),
    ("454 Throttling failure: Daily message quota exceeded.", Phase.VERDICT, QUOTA),
    (
        "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: shop@example.com",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "554 Message rejected: Sending suspended for this account. For more information, please check the inbox of the email address associated with your AWS account.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "554 Sending paused for this account. For more information, please check the inbox of the email address associated with your AWS account.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "554 Access denied: User `arn:aws:iam::123456789012:user/ses' is not authorized to perform `ses:SendRawEmail' on resource `arn:aws:ses:eu-west-1'",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("530 Authentication required", Phase.MAIL, ABOUT_US),
    ("535 Authentication Credentials Invalid", Phase.MAIL, ABOUT_US),
    ("421 Too many concurrent SMTP connections", Phase.MAIL, ABOUT_US),
    ("451 Temporary service failure", Phase.VERDICT, ABOUT_US),
    ("554 Transaction failed: Invalid email address ada@example", Phase.VERDICT, EMAIL),
    ("552 Message is too long.", Phase.VERDICT, EMAIL),
    (
        "554 Message rejected: Address blocklisted: ada@example.org is on the suppression list",
        Phase.RCPT,
        EMAIL,
    ),
    # Gmail, Google Workspace relay
    (
        "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852 a1-2 - gsmtp",
        Phase.MAIL,
        QUOTA,
    ),
    ("550 5.4.5 Daily user sending limit exceeded.", Phase.RCPT, QUOTA),
    ("550 5.4.5 Daily SMTP relay limit exceeded for customer.", Phase.VERDICT, QUOTA),
    ("550 5.7.1 Daily SMTP relay sending limit exceeded for this user.", Phase.MAIL, QUOTA),
    (
        "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.",
        Phase.MAIL,
        QUOTA,
    ),
    (
        "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. Please resend your message at a later time.",
        Phase.VERDICT,
        EMAIL,
    ),
    (
        "450 4.2.1 The user you are trying to contact is receiving mail too quickly.",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to clear space.",
        Phase.RCPT,
        EMAIL,
    ),
    ("552 5.2.2 The recipient's inbox is out of storage space and inactive.", Phase.RCPT, EMAIL),
    (
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos.",
        Phase.RCPT,
        EMAIL,
    ),
    ("550 5.2.1 The email account that you tried to reach is disabled.", Phase.RCPT, EMAIL),
    ("421 4.7.0 Try again later, closing connection. (EHLO)", Phase.MAIL, ABOUT_US),
    (
        "421 4.7.28 Our system has detected an unusual rate of email originating from your IP address.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("451 4.3.0 Mail server temporarily rejected message.", Phase.VERDICT, EMAIL),
    (
        "454 4.7.0 Cannot authenticate due to a temporary system problem. Try again later.",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("530 5.7.0 Must issue a STARTTLS command first.", Phase.MAIL, ABOUT_US),
    (
        "530 5.5.1 Authentication Required. Learn more at https://support.google.com/mail/?p=WantAuthError",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("534 5.7.9 Application-specific password required.", Phase.MAIL, ABOUT_US),
    ("535 5.7.8 Username and Password not accepted.", Phase.MAIL, ABOUT_US),
    (
        "550 5.7.0 Mail relay denied [192.0.2.1]. Invalid credentials for relay.",
        Phase.MAIL,
        ABOUT_US,
    ),
    (
        "550 5.7.1 Invalid credentials for relay [192.0.2.1]. The IP address you've registered in your G Suite SMTP Relay service doesn't match the domain of the account this email is being sent from.",
        Phase.MAIL,
        ABOUT_US,
    ),
    (
        "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 5.7.25 The IP address sending this message does not have a PTR record setup.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.",
        Phase.VERDICT,
        EMAIL,
    ),
    (
        "552 5.7.0 This message was blocked because its content presents a potential security issue.",
        Phase.VERDICT,
        EMAIL,
    ),
    ("552 5.3.4 Your message exceeded Google's message size limits.", Phase.VERDICT, EMAIL),
    ("553 5.1.3 The recipient address is not a valid RFC-5321 address.", Phase.RCPT, EMAIL),
    # Microsoft 365
    ("530 5.7.57 Client not authenticated to send mail.", Phase.MAIL, ABOUT_US),
    (
        "550 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        Phase.MAIL,
        ABOUT_US,
    ),
    (
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        Phase.MAIL,
        ABOUT_US,
    ),
    (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("535 5.7.3 Authentication unsuccessful", Phase.MAIL, ABOUT_US),
    (
        "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Phase.VERDICT, ABOUT_US),
    ("432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", Phase.VERDICT, EMAIL),
    (
        "554 5.2.252 SendAsDenied; shop@example.com not allowed to send as billing@example.com",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception",
        Phase.VERDICT,
        QUOTA,
    ),
    ("550 5.2.2 Submission quota exceeded", Phase.VERDICT, QUOTA),
    (
        "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients.",
        Phase.VERDICT,
        QUOTA,
    ),
    (
        "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients",
        Phase.VERDICT,
        QUOTA,
    ),
    ("550 5.1.8 Access denied, bad outbound sender", Phase.VERDICT, ABOUT_US),
    (
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.7.705 Access denied, tenant has exceeded threshold", Phase.VERDICT, QUOTA),
    ("550 5.7.708 Access denied, traffic not accepted from this IP", Phase.VERDICT, ABOUT_US),
    (
        "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.7.501 Access denied, spam abuse detected", Phase.VERDICT, ABOUT_US),
    ("451 4.7.500 Server busy. Please try again later from [192.0.2.1].", Phase.MAIL, ABOUT_US),
    ("550 5.4.1 Recipient address rejected: Access denied.", Phase.RCPT, EMAIL),
    (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded",
        Phase.VERDICT,
        EMAIL,
    ),
    ("550 5.5.0 Requested action not taken: mailbox unavailable", Phase.RCPT, EMAIL),
    # Exchange
    ("452 4.3.1 Insufficient system resources", Phase.MAIL, ABOUT_US),
    (
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission channel",
        Phase.MAIL,
        ABOUT_US,
    ),
    (
        "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 Unable to relay", Phase.RCPT, ABOUT_US),
    ("552 5.3.4 Message size exceeds fixed maximum message size", Phase.MAIL, EMAIL),
    ("554 5.6.0 Corrupt message content", Phase.VERDICT, EMAIL),
    # SendGrid
    ("451 Authentication failed: Maximum credits exceeded", Phase.MAIL, QUOTA),
    ("550 Unauthenticated senders not allowed", Phase.MAIL, ABOUT_US),
    (
        "550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("452 Too many recipients received this hour", Phase.RCPT, QUOTA),
    ("450 too frequent connects from 192.0.2.1, please try again later.", Phase.MAIL, ABOUT_US),
    (
        "535 Authentication failed: The provided authorization grant is invalid, expired, or revoked",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("550 5.1.1 The email address is on the suppression list", Phase.RCPT, EMAIL),
    # Postmark
    (
        "550 5.7.1 The 'From' address you supplied is not a Sender Signature on your account.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.7.1 Sender signature not found", Phase.VERDICT, ABOUT_US),
    (
        "550 5.7.1 Your account is pending approval. All recipient addresses must share the same domain as the 'From' address.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 5.7.1 You tried to send to a recipient that has been marked as inactive.",
        Phase.VERDICT,
        EMAIL,
    ),
    # Mailgun
    (
        "421 Domain sandbox.mailgun.org is not allowed to send: Sandbox subdomains are for test purposes only. Please add your own domain or add the address to authorized recipients in Account Settings.",
        Phase.DATA,
        ABOUT_US,
    ),
    (
        "550 5.7.1 Domain shop.example is not allowed to send: The domain is unverified and requires DNS configuration.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 5.7.1 Domain shop.example is not allowed to send: Account disabled",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 Domain shop.example is not allowed to send: recipient limit exceeded",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.1.1 Not delivering to previously bounced address", Phase.RCPT, EMAIL),
    # Brevo
    ("525 5.7.1 Unauthorized IP address", Phase.MAIL, ABOUT_US),
    ("502 5.7.0 Please authenticate first", Phase.MAIL, ABOUT_US),
    (
        "550 5.7.0 Your SMTP account is not yet activated. Please contact us to request activation",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.7.1 Sending suspended: the account has no credits left", Phase.VERDICT, ABOUT_US),
    # Postfix
    ("452 4.3.1 Insufficient system storage", Phase.MAIL, ABOUT_US),
    ("451 4.3.5 Server configuration problem", Phase.RCPT, ABOUT_US),
    ("450 4.7.1 Error: too much mail from 192.0.2.1", Phase.MAIL, ABOUT_US),
    ("421 4.7.0 relay.example Error: too many connections from 192.0.2.1", Phase.MAIL, ABOUT_US),
    (
        "450 4.1.2 <ada@rate.example>: Recipient address rejected: Domain not found",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "450 4.1.1 <ada@example.org>: Recipient address rejected: unverified address: Address verification in progress",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "450 4.2.0 <ada@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
        Phase.RCPT,
        EMAIL,
    ),
    ("554 5.7.1 <ada@example.org>: Relay access denied", Phase.RCPT, ABOUT_US),
    ("454 4.7.1 <ada@example.org>: Relay access denied", Phase.RCPT, ABOUT_US),
    (
        "553 5.7.1 <shop@example.com>: Sender address rejected: not owned by user shop",
        Phase.RCPT,
        ABOUT_US,
    ),
    ("553 5.7.1 <shop@example.com>: Sender address rejected: not logged in", Phase.RCPT, ABOUT_US),
    (
        "450 4.1.8 <shop@example.com>: Sender address rejected: Domain not found",
        Phase.RCPT,
        ABOUT_US,
    ),
    (
        "504 5.5.2 <shop>: Helo command rejected: need fully-qualified hostname",
        Phase.RCPT,
        ABOUT_US,
    ),
    (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        Phase.RCPT,
        ABOUT_US,
    ),
    (
        "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]",
        Phase.RCPT,
        ABOUT_US,
    ),
    ("552 5.2.2 <ada@example.org>: mailbox full", Phase.RCPT, EMAIL),
    ("554 5.7.1 Spam message rejected", Phase.VERDICT, EMAIL),
    ("550 5.7.1 This message violates our content policy", Phase.VERDICT, EMAIL),
    ("451 4.3.0 <ada@example.org>: Temporary lookup failure", Phase.RCPT, EMAIL),
    # Exim, cPanel
    ("550 relay not permitted, authentication required", Phase.RCPT, ABOUT_US),
    (
        "550 Domain example.com has exceeded the max emails per hour (101/100 (101%)) allowed. Message discarded.",
        Phase.RCPT,
        QUOTA,
    ),
    ('550 Outgoing mail from "shop@example.com" has been suspended.', Phase.RCPT, ABOUT_US),
    (
        "550-Verification failed for <shop@example.com> 550 Sender verify failed",
        Phase.RCPT,
        ABOUT_US,
    ),
    ("451 Sender rate overlimit - 100 / 1h", Phase.MAIL, ABOUT_US),
    ("421 Too many concurrent SMTP connections; please try again later.", Phase.MAIL, ABOUT_US),
    ("550 Unrouteable address", Phase.RCPT, EMAIL),
    ("550 No Such User Here", Phase.RCPT, EMAIL),
    ("552 message size exceeds maximum", Phase.VERDICT, EMAIL),
    # Others
    ("550 5.7.1 Unconfigured Sending Domain shop.example", Phase.VERDICT, ABOUT_US),
    ("550 5.7.0 Requested action not taken: too many emails per second", Phase.VERDICT, ABOUT_US),
    (
        "550 5.4.6 Unusual sending activity detected. Please try after sometime",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("553 5.7.1 Sender is not allowed to relay emails", Phase.MAIL, ABOUT_US),
    (
        "450 4.2.1 The recipient has exceeded message rate limit. Try again later.",
        Phase.RCPT,
        EMAIL,
    ),
    ("554 5.7.1 Message rejected under suspicion of SPAM", Phase.VERDICT, EMAIL),
    ("550 Something nobody has met", Phase.MAIL, ABOUT_US),
    ("550 Something nobody has met", Phase.RCPT, EMAIL),
    ("552 too big", Phase.MAIL, EMAIL),
    ("553 5.6.7 Non-ASCII addresses not permitted", Phase.MAIL, EMAIL),
    ("550 5.7.1 Message rejected", Phase.VERDICT, EMAIL),
    ("550 rate.limit@quota.example: user unknown", Phase.RCPT, EMAIL),
    ('550 "authentication required"@example.org unknown user', Phase.RCPT, EMAIL),
    ("550 5.1.1 <too.many@example.org> no mailbox here by that name", Phase.RCPT, EMAIL),
    ("451 4.7.1 Greylisting in action, please come back later", Phase.RCPT, EMAIL),
    ("451 4.3.0 Error: queue file write error", Phase.VERDICT, ABOUT_US),
    ("503 5.5.1 Error: need AUTH command", Phase.MAIL, ABOUT_US),
    ("503 AUTH required", Phase.MAIL, ABOUT_US),
    ("550 Account suspended", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 Domain suspended", Phase.VERDICT, ABOUT_US),
    ("554 5.7.1 You are not allowed to send from this address", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 Message contains a blacklisted URL", Phase.VERDICT, EMAIL),
    ("552 Quota exceeded", Phase.RCPT, EMAIL),
    ("552 5.2.2 Quota exceeded", Phase.RCPT, EMAIL),
    ("550 Quota exceeded", Phase.VERDICT, QUOTA),
    ("452 4.5.3 Your message has too many recipients", Phase.RCPT, ABOUT_US),
    ("550 over quota", Phase.RCPT, EMAIL),
    ("550 5.7.1 Your plan has expired", Phase.VERDICT, ABOUT_US),
    ("554 5.7.1 Hourly sending quota reached", Phase.RCPT, QUOTA),
    ("451 4.7.1 Please slow down", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 sender domain is not verified", Phase.VERDICT, ABOUT_US),
    ("550 ada@example.org does not exist", Phase.RCPT, EMAIL),
    ("550 5.7.1 your message looks like spam", Phase.VERDICT, EMAIL),
    ("550 Sorry, your envelope sender is in my badmailfrom list", Phase.RCPT, ABOUT_US),
    ("550 sorry, no mailbox here by that name", Phase.RCPT, EMAIL),
    ("554 delivery error: dd This user doesn't have a yahoo.com account", Phase.VERDICT, EMAIL),
    (
        "550 5.7.1 Recipient not authorized, your IP has been found on a block list",
        Phase.RCPT,
        ABOUT_US,
    ),
    ("550 5.7.1 recipient has blocked you", Phase.RCPT, EMAIL),
    ("450 4.7.1 greylisted", Phase.RCPT, EMAIL),
    ("451 4.7.1 Try again in 5 minutes", Phase.RCPT, EMAIL),
    (
        "553 5.1.8 <shop@example.com>: Sender address rejected: Domain not found",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("501 5.1.7 Bad sender address syntax", Phase.MAIL, ABOUT_US),
    ("452 4.2.2 mailbox full", Phase.RCPT, EMAIL),
    ("450 mailbox unavailable", Phase.RCPT, EMAIL),
    ("450 mailbox busy", Phase.RCPT, EMAIL),
    ("550 Requested action not taken: mailbox unavailable", Phase.RCPT, EMAIL),
    ("553 mailbox name not allowed", Phase.RCPT, EMAIL),
    ("551 user not local", Phase.RCPT, EMAIL),
    ("551 User not local; please try <ada@elsewhere.example>", Phase.RCPT, EMAIL),
    ("554 Transaction failed", Phase.VERDICT, EMAIL),
    ("452 4.3.1 Insufficient system storage", Phase.VERDICT, ABOUT_US),
    ("451 4.3.2 System not accepting network messages", Phase.MAIL, ABOUT_US),
    (
        "550 5.7.1 Client does not have permission to submit mail to this server.",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("550 Maximum number of messages per day reached", Phase.MAIL, QUOTA),
    ("550 Your daily message limit has been reached", Phase.MAIL, QUOTA),
    ("421 4.7.0 Daily limit reached", Phase.MAIL, QUOTA),
    # More of the same kinds, of services and servers of all sorts
    ("554 5.7.1 : Sender address rejected: Access denied", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 Message rejected due to content restrictions", Phase.VERDICT, EMAIL),
    ("550 5.7.1 Blocked by SpamAssassin", Phase.VERDICT, EMAIL),
    ("554 5.7.1 This message has been blocked because it contains a virus", Phase.VERDICT, EMAIL),
    (
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("451 4.7.1 Greylisting in effect, please come back later", Phase.RCPT, EMAIL),
    ("450 4.2.0 Recipient address rejected: Greylisted for 60 seconds", Phase.RCPT, EMAIL),
    (
        "550 5.1.1 <ada@example.org>: Email address could not be found, or was misspelled",
        Phase.RCPT,
        EMAIL,
    ),
    ("550 Mailbox quota exceeded", Phase.RCPT, EMAIL),
    ("452 4.2.2 Mailbox full", Phase.RCPT, EMAIL),
    ("552 5.2.2 Over quota", Phase.RCPT, EMAIL),
    ("550 5.2.2 user over quota", Phase.RCPT, EMAIL),
    ("554 5.2.2 mailbox full", Phase.RCPT, EMAIL),
    ("550 5.4.1 [ada@example.org]: Recipient address rejected: Access denied", Phase.RCPT, EMAIL),
    ("550 5.1.2 Host unknown (Name server: example: host not found)", Phase.RCPT, EMAIL),
    ("450 4.1.8 <a@b>: Sender address rejected: Domain not found", Phase.RCPT, ABOUT_US),
    ("550 5.7.0 Authentication required", Phase.MAIL, ABOUT_US),
    ("530 5.7.1 Authentication required", Phase.MAIL, ABOUT_US),
    (
        "553 5.7.1 Authentication is required to send mail as <shop@example.com>",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("550 5.7.3 STARTTLS is required to send mail", Phase.MAIL, ABOUT_US),
    ("554 5.7.0 Too many messages", Phase.VERDICT, ABOUT_US),
    ("450 4.7.0 Rate limit exceeded", Phase.VERDICT, ABOUT_US),
    ("452 4.5.3 Too many recipients", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 Exceeded sending limit", Phase.MAIL, QUOTA),
    ("550 5.7.1 Exceeded daily sending quota", Phase.MAIL, QUOTA),
    ("451 4.7.1 Hourly limit exceeded, try again later", Phase.MAIL, QUOTA),
    ("550 You have reached your sending limit", Phase.MAIL, QUOTA),
    ("554 5.7.1 You have exceeded your hourly quota of 100 emails", Phase.RCPT, QUOTA),
    ("550 5.7.1 Maximum daily sends reached", Phase.MAIL, QUOTA),
    ("402 Payment required", Phase.MAIL, ABOUT_US),
    ("550 Plan limit reached", Phase.VERDICT, QUOTA),
    ("550 5.7.1 Monthly email limit reached. Please upgrade your plan.", Phase.VERDICT, QUOTA),
    ("550 5.7.1 Email cannot be sent: domain is not verified", Phase.VERDICT, ABOUT_US),
    (
        "550 The gmail.com domain is not verified. Please, add and verify your domain",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 You can only send testing emails to your own email address", Phase.VERDICT, ABOUT_US),
    ("554 5.7.1 From address is not on the whitelist", Phase.VERDICT, ABOUT_US),
    ("550 Sender not yet confirmed", Phase.MAIL, ABOUT_US),
    ("550 5.7.1 Sender not authorized", Phase.MAIL, ABOUT_US),
    ("501 5.1.7 Invalid address", Phase.MAIL, ABOUT_US),
    ("550 5.1.0 <shop@example.com> sender rejected", Phase.MAIL, ABOUT_US),
    ("571 5.7.1 Sender rejected", Phase.MAIL, ABOUT_US),
    ("550 Account temporarily suspended", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 Service disabled: your account has been suspended", Phase.VERDICT, ABOUT_US),
    ("550 SMTP access is disabled for this account", Phase.MAIL, ABOUT_US),
    ("550 5.7.1 Your IP is blacklisted", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 Mail from 192.0.2.1 refused, see RBL server bl.spamcop.net", Phase.RCPT, ABOUT_US),
    ("553 5.3.0 Rejected - see http://spamhaus.org", Phase.RCPT, ABOUT_US),
    ("552 5.3.4 Message too large", Phase.MAIL, EMAIL),
    ("552 5.2.3 Message exceeds local size limit", Phase.MAIL, EMAIL),
    ("523 5.3.4 the message length exceeds administrative limit", Phase.VERDICT, EMAIL),
    ("554 Message refused: attachment type not allowed", Phase.VERDICT, EMAIL),
    ("450 4.3.2 System not accepting network messages", Phase.MAIL, ABOUT_US),
    ("452 Insufficient system storage", Phase.MAIL, ABOUT_US),
    ("431 4.3.1 Not enough disk space", Phase.MAIL, ABOUT_US),
    ("451 4.3.0 Temporary lookup failure", Phase.MAIL, EMAIL),
    ("451 Temporary local problem - please try later", Phase.RCPT, EMAIL),
    ("454 4.7.5 Certificate validation failed", Phase.MAIL, ABOUT_US),
    ("550 5.7.1 TLS required", Phase.MAIL, ABOUT_US),
    ("451 4.4.0 Primary target IP address responded with: 421", Phase.VERDICT, EMAIL),
    ("550 5.0.350 Remote server returned an error", Phase.VERDICT, EMAIL),
    ("554 5.7.7 Email policy violation detected", Phase.VERDICT, EMAIL),
    (
        "550 5.7.509 Access denied, sending domain example.com does not pass DMARC verification and has a DMARC policy of reject.",
        Phase.VERDICT,
        ABOUT_US,
    ),
    (
        "550 5.7.515 Access denied, sending domain does not meet the required authentication level",
        Phase.VERDICT,
        ABOUT_US,
    ),
    ("550 5.7.64 TenantAttribution; Relay Access Denied", Phase.RCPT, ABOUT_US),
    (
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
        Phase.RCPT,
        EMAIL,
    ),
    ("550 5.7.124 Sender not in allowed-senders list", Phase.RCPT, EMAIL),
    ("550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", Phase.RCPT, EMAIL),
    ("550 5.2.1 mailbox disabled, not accepting messages", Phase.RCPT, EMAIL),
    ("550 Inactive recipient", Phase.VERDICT, EMAIL),
    ("451 4.7.0 Temporary rate limit for recipient ada@example.org", Phase.RCPT, EMAIL),
    ("450 4.7.1 Recipient limit exceeded", Phase.RCPT, EMAIL),
    (
        "550 5.7.1 <ada@daily-quota-exceeded.example>: Recipient address rejected: User unknown",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "554 Message not allowed - [PH01] Email not accepted for policy reasons",
        Phase.VERDICT,
        EMAIL,
    ),
    ("421 4.7.1 : (DYN:T1) https://postmaster.aol.com", Phase.MAIL, ABOUT_US),
    ("550 5.7.1 Client host rejected: Access denied", Phase.RCPT, ABOUT_US),
    ("450 Requested mail action not taken: mailbox unavailable", Phase.RCPT, EMAIL),
    ("550 Unable to relay for ada@example.org", Phase.RCPT, ABOUT_US),
    ("550 Relaying denied", Phase.RCPT, ABOUT_US),
    ("550 5.7.1 Relaying denied. Proper authentication required.", Phase.RCPT, ABOUT_US),
    ("550 we do not relay", Phase.RCPT, ABOUT_US),
    ("503 valid RCPT command must precede DATA", Phase.DATA, ABOUT_US),
    # What a recipient's server said, suppression lists, and other traps
    (
        "450 4.1.1 <x@y.example>: Recipient address rejected: unverified address: host mx.y.example[192.0.2.1] said: 450 your account has exceeded its daily limit (in reply to RCPT TO command)",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "550 5.1.1 <x@y.example>: Recipient address rejected: undeliverable address: host mx.y.example said: 550 Relay limit exceeded",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "450 4.7.1 <x@y.example>: host mx.y.example said: 550 5.7.1 your IP is not allowed to send",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "550 Callout verification failed: 550 5.7.1 Daily limit exceeded for your account",
        Phase.RCPT,
        EMAIL,
    ),
    ("552 5.2.2 This user has exceeded their daily limit for the account", Phase.RCPT, EMAIL),
    (
        "550 5.1.1 The email account does not exist. Contact your domain administrator",
        Phase.RCPT,
        EMAIL,
    ),
    (
        "554 Message rejected: Address is on the suppression list for your account",
        Phase.VERDICT,
        EMAIL,
    ),
    ("550 Message rejected: recipient is on your account's suppression list", Phase.VERDICT, EMAIL),
    ("550 Recipient is blocked in your account", Phase.VERDICT, EMAIL),
    ("550 All recipients unsubscribed on your domain", Phase.VERDICT, EMAIL),
    ("554 5.4.6 Too many hops", Phase.VERDICT, EMAIL),
    ("552 Your message exceeded size limit", Phase.VERDICT, EMAIL),
    ("553 Relaying disallowed", Phase.RCPT, ABOUT_US),
    ("553 5.7.1 Sorry, that domain isn't in my list of allowed rcpthosts", Phase.RCPT, ABOUT_US),
    ("554 No SMTP service here", Phase.RCPT, ABOUT_US),
    ("503 5.5.1 Error: need MAIL command", Phase.RCPT, ABOUT_US),
    (
        "550 Requested action not taken: mailbox unavailable. Sender address has null MX",
        Phase.MAIL,
        ABOUT_US,
    ),
    ("550 Mail not sent: your Brevo account is not validated", Phase.VERDICT, ABOUT_US),
    ("550 Contact is blocked: account credits depleted", Phase.VERDICT, ABOUT_US),
    ("550 Insufficient balance", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 API token revoked", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 Trial expired", Phase.VERDICT, ABOUT_US),
    ("550 5.7.1 Sending from domain x.example is not allowed", Phase.VERDICT, ABOUT_US),
    ("554 Configuration set does not exist: foo", Phase.VERDICT, ABOUT_US),
]


def verdict(reply: str, phase: Phase = Phase.VERDICT) -> Verdict:
    return verdict_of(Reply(int(reply[:3]), reply[4:].encode()), phase)


@pytest.mark.parametrize(("reply", "phase", "about"), REPLIES)
def test_a_reply_is_about_the_email_or_about_us(
    reply: str, phase: Phase, about: Outcome | None
) -> None:
    by_code = Outcome.REFUSED if reply.startswith("5") else Outcome.DEFERRED
    found = verdict(reply, phase)
    assert found.outcome == (about or by_code)
    assert found.code == int(reply[:3])


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("250 2.0.0 queued as 4F2", Outcome.ACCEPTED),
        ("250 2.0.0 your daily quota is exceeded after this one", Outcome.ACCEPTED),
        ("354 go on", Outcome.IN_DOUBT),
        ("450 4.2.1 the user is receiving mail at a rate that is too high", Outcome.DEFERRED),
        ("451 4.7.1 greylisted", Outcome.DEFERRED),
        ("554 ", Outcome.REFUSED),
    ],
)
def test_a_reply_means_its_outcome(reply: str, outcome: Outcome) -> None:
    assert (verdict(reply).outcome, verdict(reply).reply) == (outcome, reply)


def test_a_reply_of_several_lines_is_read_as_one_text() -> None:
    lines = b"5.4.5 Daily user sending\n5.4.5 limit exceeded. For more\n5.4.5 go to"
    assert verdict_of(Reply(550, lines), Phase.RCPT).outcome is QUOTA
    lines = b"5.7.1 The user you are\n5.7.1 trying to contact is receiving mail too quickly"
    assert verdict_of(Reply(450, lines), Phase.RCPT).outcome is Outcome.DEFERRED


@pytest.mark.parametrize(
    ("reply", "phase", "is_unfamiliar"),
    [
        ("554 5.7.1 Something new", Phase.VERDICT, True),
        ("550 Access denied", Phase.RCPT, True),
        ("550 <ada@example.org>: Access denied", Phase.RCPT, False),
        ("550 5.1.0 Address rejected", Phase.VERDICT, False),
        ("550 5.2.9 Something new", Phase.VERDICT, False),
        ("550 No mailbox here", Phase.RCPT, False),
        ("550 No such domain at this location", Phase.RCPT, False),
        ("550 5.4.4 Unable to route: no MX for domain", Phase.RCPT, False),
        ("550 Host not found", Phase.RCPT, False),
        ("553 Invalid domain name", Phase.RCPT, False),
        ("550 Verification failed", Phase.RCPT, False),
        ("554 Transaction failed: Missing final '@domain'", Phase.VERDICT, False),
        ("550 'To' address is invalid", Phase.VERDICT, False),
        ("550 5.4.310 DNS domain does not exist", Phase.VERDICT, False),
        ("552 5.3.4 Message too big", Phase.VERDICT, False),
        ("451 Something new", Phase.VERDICT, False),
    ],
)
def test_a_refusal_that_no_line_knows_is_unfamiliar_unless_it_names_a_mailbox(
    reply: str, phase: Phase, is_unfamiliar: bool
) -> None:
    assert verdict(reply, phase).is_unfamiliar is is_unfamiliar


def test_refusals_are_in_the_same_words_whatever_address_or_number_they_hold() -> None:
    first = fingerprint("550 5.7.1 <ada@example.org> not today, id a1b2-77 - gsmtp")
    second = fingerprint("550 5.7.1 <bob@other.example> not today, id c3d4-78 - gsmtp")
    assert first == second == "not today id gsmtp"
    assert fingerprint("550 not tomorrow") != fingerprint("550 not today")


def test_a_log_gets_a_reply_without_addresses() -> None:
    text = '550 5.7.1 <ada@example.org>: no, bob@example.org and "cy"@example.org'
    assert without_addresses(text) == "550 5.7.1 <...>: no, <...> and <...><...>"
