"""What happens by itself: scheduled campaigns, digests, feeds, and everything else that `outreach cron` finds due."""
